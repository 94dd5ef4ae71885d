"""Spreads the tests over processes (`--dist loadfile`), and sets what holds for all of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from .leftovers import keep_mounts_private, remove
from .support import Platform, with_packages

# What shares the environment that takes longest to make, once in each process, is run by one process.
SHARING = (
    ("tests/aws_platform/",),
    ("tests/github/",),
    ("tests/e2e/test_clients.py", "tests/e2e/test_conformance.py", "tests/e2e/test_shapes.py"),
)
# What takes longest is begun first, in this order: nobody waits for it when everything else is done.
SLOW = (
    "tests/aws_platform/",
    "tests/e2e/test_clients.py",
    "tests/field/test_sdk_versions.py",
    "tests/targets/container/test_clients.py",
    "tests/targets/aws_lambda/test_faults.py",
    "tests/github/",
    "tests/targets/aws_lambda/test_clients.py",
    "tests/targets/aws_lambda/test_secrets.py",
    "tests/targets/aws_lambda/test_deploy.py",
    "tests/targets/aws_lambda/test_target.py",
    "tests/targets/aws_lambda/",
    "tests/targets/container/",
    "tests/e2e/",
    "tests/attacks/",
    "tests/runtime/hosts/",
    "tests/runtime/",
    "tests/commands/",
    "tests/field/",
)


class SlowestFirst(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    def _split_scope(self, nodeid: str) -> str:
        return next((shared[0] for shared in SHARING if nodeid.startswith(shared)), super()._split_scope(nodeid))


# xdist's hook is there where xdist is.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    if config.getvalue("dist") != "loadfile":
        return None
    # By the number of tests, the few long ones would come last.
    config.option.loadscopereorder = False
    return SlowestFirst(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {prefix: place for place, prefix in enumerate(SLOW)}
    items.sort(key=lambda item: min((places[prefix] for prefix in SLOW if item.nodeid.startswith(prefix)), default=99))


def pytest_configure() -> None:
    keep_mounts_private()
    # A shell's background job ignores Ctrl-C (POSIX, "Signals and Error Handling"), and so would what tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Iterator[Any]:
    """Has the folders that a fixture makes for several tests removed at its end, since no disk holds those of all.

    They stay where a test has failed meanwhile.
    """
    if fixturedef.scope == "function" or fixturedef.argname == "tmp_path_factory":
        return (yield)
    folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    before, failed = set(folders.getbasetemp().iterdir()), request.session.testsfailed
    made: set[Path] = set()

    def clear() -> None:
        if request.session.testsfailed == failed:
            for folder in made:
                remove(folder)

    fixturedef.addfinalizer(clear)
    try:
        return (yield)
    finally:
        made.update(path for path in set(folders.getbasetemp().iterdir()) - before if not path.is_symlink())


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the keyring of whoever runs the tests alone: what a test's own process encrypts has its key in a file."""
    monkeypatch.setattr("platform_cli.secrets.key.usable_keyring", lambda: None)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Provides the platform of a module's tests, whose first deploy of the smallest server is quick."""
    running = Platform(with_packages(tmp_path_factory.mktemp("home")))
    yield running
    running.stop()
