"""Defines the status of a project: what it serves, where, and in what state."""

from __future__ import annotations

from typing import Literal, NotRequired

from .shape import Shape


class Instances(Shape):
    """Counts the instances of a function: those to keep ready (`min`), those that are `ready`, and the limit (`max`).

    `max` is None if only the account's limit holds.
    """

    min: int
    ready: int
    max: int | None


class HandMadeVersion(Shape):
    """Holds the number and description of a version of a function that somebody published without homeport."""

    version: str
    description: str


class Cost(Shape):
    """Estimates what a million calls cost, in US dollars, from the `calls` of the last `days` days.

    `average_ms` is the milliseconds that one took; `prices_of` tells where and when the prices were valid.
    """

    usd_per_million_calls: float
    average_ms: float
    calls: int
    days: int
    prices_of: str
    not_included: list[str]


class DNSRecord(Shape):
    """Holds a record that the DNS zone of a project's own name must have."""

    type: Literal["CNAME"]
    name: str
    value: str


class Front(Shape):
    """Describes what leads a project's own names to it.

    `certificate` and `distribution` are their states in AWS's words, None if there is none yet.
    """

    names: list[str]
    certificate: str | None
    distribution: str | None
    records: list[DNSRecord]


class Addresses(Shape):
    """Holds the URLs of a project: its `url`, and its `local_url` on this machine.

    `mcp_url` and `sse_url` are its two endpoints. All are empty if a first deploy ended before there was a URL.
    """

    url: str
    local_url: str
    mcp_url: str
    sse_url: str


class Status(Addresses):
    """Describes a project as `homeport status` and `homeport list` show it; every target gives every key.

    `release` is the one that serves (`v3`; None before the first), made of `bundle` at `deployed_at` (seconds since
    1970). `state` is the target's own word. `auth` tells what callers need, None if it is not known. `last_error` is
    what is wrong now.

    Keys that a target cannot fill are None: `image` (that of its containers), `published` (whether the engine passes no
    sockets to its containers, which are reached by ports of loopback instead), `workers` (their number), `confined`
    (whether they see their own files alone), `user` (the id of the server's own user, also None if it runs as the
    platform's), `folder` (where it was deployed from), `outdated_secrets` (the names of those that have newer values by
    now), `open_errors` (the number of groups of errors that are open), `memory_mb` (megabytes), `architecture` and
    `instances`; in a list also `cost` and `front`.
    """

    project: str
    release: str | None
    bundle: str | None
    state: str
    target: str
    image: str | None
    published: bool | None
    workers: int | None
    processes: list[int]
    last_error: str | None
    auth: Literal["none", "token", "oauth"] | None
    confined: bool | None
    user: int | None
    folder: str | None
    deployed_at: float | None
    outdated_secrets: list[str] | None
    memory_mb: int | None
    architecture: str | None
    instances: Instances | None
    hand_made: list[HandMadeVersion]
    cost: Cost | None
    front: Front | None
    open_errors: int | None


class ChangedStatus(Status):
    """Describes a project that was told to serve a release; `changed` is False if it served it before."""

    changed: bool


class DeployedStatus(ChangedStatus):
    """Describes a project after a deploy.

    `token` is present only if one was made, and is never shown again: with `closed_by_default` because the platform has
    a public name. `stop_first_learned` reports that the old release had to stop before the new one could start.
    """

    token: NotRequired[str]
    closed_by_default: NotRequired[bool]
    stop_first_learned: NotRequired[bool]


class StatusWithToken(Status):
    """Describes a project with its new bearer token, which is shown only once."""

    token: str
