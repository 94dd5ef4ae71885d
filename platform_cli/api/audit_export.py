"""Defines the exports of audit logs: where lines are sent, and how far that has come."""

from __future__ import annotations

from typing import Literal

from .shape import Shape

ExportKind = Literal["syslog", "webhook", "otlp"]


class WantedAuditExport(Shape):
    """Describes an export to make.

    It sends the lines of `project`, None for those of all, to `url`: from the oldest on with `from_start`, else those
    to come. `headers` go to a collector, and `ca` is a certificate in PEM by which the receiver is known instead of the
    machine's own. With `private` the receiver may be within the platform's network.
    """

    url: str
    project: str | None
    headers: dict[str, str]
    ca: str | None
    private: bool
    from_start: bool


class ListedAuditExport(Shape):
    """Describes an export, with times in seconds since 1970.

    `target` is where it leads, without what may be secret. `behind` is the number of lines that it has to send now.
    `failure` says why the last of them were not taken at `failed_at`, None if they were.
    """

    id: str
    kind: ExportKind
    target: str
    project: str | None
    created_at: float
    sent_at: float | None
    failed_at: float | None
    failure: str | None
    behind: int


class NewAuditExport(ListedAuditExport):
    """Describes an export that was just made, with the `key` that signs a webhook's messages, which is shown once."""

    key: str | None


class AuditExportRemoved(Shape):
    """Names an export that was removed."""

    removed: str
