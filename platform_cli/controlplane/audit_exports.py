"""Manages the exports of audit logs, and has them sent."""

from __future__ import annotations

import re
import secrets
import ssl
import time

from ..api.audit_export import ListedAuditExport, NewAuditExport, WantedAuditExport
from ..audit.files import audit_folder
from ..audit_exports.destination import read_destination
from ..audit_exports.store import Access, Export
from ..errors import InputError
from .stores import Stores

MAX_EXPORTS = 20
MAX_HEADERS, MAX_VALUE = 20, 8192
_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")


class AuditExports:
    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._exports = stores.audit_exports

    async def work(self) -> None:
        """Sends lines, for as long as it runs."""
        # Imported late, since the platform serves before it sends anything.
        from ..audit_exports.exporter import Exporter

        home, heads = self._stores.home, self._stores.audit_heads
        await Exporter(self._exports, heads.all, lambda project: audit_folder(home.project(project))).work()

    def add(self, wanted: WantedAuditExport) -> NewAuditExport:
        """Makes an export, whose key is shown only now.

        Raises InputError for a receiver to which nothing can be sent, and NotFoundError if the project does not exist.
        """
        if wanted["project"] is not None:
            self._stores.store.project(wanted["project"])
        if len(self._exports.all()) >= MAX_EXPORTS:
            raise InputError(f"a platform has {MAX_EXPORTS} exports at most", hint="homeport audit export-to remove ID")
        to = read_destination(wanted["url"], private=wanted["private"])
        _check_headers(wanted["headers"], is_collector=to.kind == "otlp")
        _check_ca(wanted["ca"])
        key = secrets.token_urlsafe(32) if to.kind == "webhook" else None
        new_id = secrets.token_hex(4)
        export = Export(new_id, to.kind, to.shown, wanted["project"], wanted["private"], time.time())
        cursors = {} if wanted["from_start"] else self._stores.audit_heads.all()
        self._exports.add(export, wanted["url"], Access(to, key, wanted["headers"], wanted["ca"]), cursors)
        listed = next(each for each in self.listed() if each["id"] == new_id)
        return {**listed, "key": key}

    def listed(self) -> list[ListedAuditExport]:
        return self._exports.listed(self._stores.audit_heads.all())

    def remove(self, export_id: str) -> None:
        """Removes an export.

        Raises NotFoundError if there is none of that id.
        """
        self._exports.remove(export_id)


def _check_headers(headers: dict[str, str], *, is_collector: bool) -> None:
    if headers and not is_collector:
        raise InputError("only a collector gets headers", hint="a webhook checks the signature instead")
    sound = all(
        _NAME.fullmatch(name) and len(value) <= MAX_VALUE and value.isascii() and value.isprintable()
        for name, value in headers.items()
    )
    if not sound or len(headers) > MAX_HEADERS:
        raise InputError("a header has a name of letters and hyphens, and a value of one line of ASCII")


def _check_ca(ca: str | None) -> None:
    if ca is not None:
        try:
            ssl.create_default_context(cadata=ca)
        except (ssl.SSLError, ValueError) as error:
            raise InputError("that is no certificate in PEM", hint="-----BEGIN CERTIFICATE----- ...") from error
