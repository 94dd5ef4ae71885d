"""What a project serves, where, and how it is."""

from __future__ import annotations

from typing import Literal, NotRequired

from .shape import Shape


class Instances(Shape):
    """The instances of a function: how many are kept ready (`min`), how many of those are (`ready`), and the most there
    may be (`max`, None for what the account has).
    """

    min: int
    ready: int
    max: int | None


class HandMadeVersion(Shape):
    """A version of a function that somebody published beside homeport, by its number and description."""

    version: str
    description: str


class Cost(Shape):
    """What a million calls are likely to cost, in US dollars, from the `calls` of the last `days` days, which took
    `average_ms` milliseconds each; `prices_of` says where and when the prices were valid.
    """

    usd_per_million_calls: float
    average_ms: float
    calls: int
    days: int
    prices_of: str
    not_included: list[str]


class DNSRecord(Shape):
    """A record that the DNS zone of a project's own name has to have."""

    type: Literal["CNAME"]
    name: str
    value: str


class Front(Shape):
    """What leads a project's own names to it: `certificate` and `distribution` are their states in AWS's words, None
    where there is none yet.
    """

    names: list[str]
    certificate: str | None
    distribution: str | None
    records: list[DNSRecord]


class Addresses(Shape):
    """Where a project is reached: by its `url`, on this machine by `local_url`; `mcp_url` and `sse_url` are its two
    endpoints. All are empty where a first deploy ended before there was a URL.
    """

    url: str
    local_url: str
    mcp_url: str
    sse_url: str


class Status(Addresses):
    """A project as `homeport status` and `homeport list` show it; every target gives every key.

    `release` serves (`v3`; None before one has), was made of `bundle` at `deployed_at` (seconds since 1970). `state` is
    the target's own word. `auth` says what callers need, None where nobody knows. `last_error` is what is wrong now.

    What a target cannot say is None: `workers` (how many there are), `confined` (whether they see their own files
    alone), `folder` (where it was deployed from), `outdated_secrets` (the names of those that have newer values by
    now), `memory_mb` (megabytes), `architecture` and `instances`; `cost` and `front` also in a list.
    """

    project: str
    release: str | None
    bundle: str | None
    state: str
    target: str
    workers: int | None
    processes: list[int]
    last_error: str | None
    auth: Literal["none", "token"] | None
    confined: bool | None
    folder: str | None
    deployed_at: float | None
    outdated_secrets: list[str] | None
    memory_mb: int | None
    architecture: str | None
    instances: Instances | None
    hand_made: list[HandMadeVersion]
    cost: Cost | None
    front: Front | None


class ChangedStatus(Status):
    """A project's status after it was told to serve a release; `changed` is False where it did already."""

    changed: bool


class DeployedStatus(ChangedStatus):
    """A project's status after a deploy. `token` is there when one was made, and never told again: with
    `closed_by_default` because the platform has a public name. `stop_first_learned` says that the old release had to
    stop before the new one could start.
    """

    token: NotRequired[str]
    closed_by_default: NotRequired[bool]
    stop_first_learned: NotRequired[bool]


class StatusWithToken(Status):
    """A project's status with its new bearer token, which is told this once."""

    token: str
