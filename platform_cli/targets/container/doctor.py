"""Checks what containers need beyond what the platform itself needs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from ...doctor.machine import Check, Diagnosis
from ...doctor.reach import Reach
from ...errors import PlatformError
from ...supervisor.engine import Engine


def diagnose_containers(machine: Diagnosis) -> Diagnosis:
    return Diagnosis(chain(machine.checks, [check_engine(Engine())]), reach_in_container())


def check_engine(engine: Engine) -> Check:
    try:
        return Check("engine", "ok", engine.check())
    except PlatformError as error:
        return Check("engine", "problem", error.message, error.hint)


def reach_in_container() -> Iterator[Reach]:
    yield Reach("the platform's key, store, logs and socket", "no", "not in its container")
    yield Reach("other projects, other processes, this user's files", "no", "not in its container")
    yield Reach("its bundle and packages, and the platform's code", "reads", "its image is read-only")
    yield Reach("life after its release", "no", "its container ends with the release")
    yield Reach("kernel settings, disks, raw packets", "no", "it has no capability")
    yield Reach("the container engine", "no", "its socket is not in the container")
    yield Reach("the network", "yes", "servers call others")
