"""Serves the part of the API that makes, lists and removes exports of audit logs, for this machine alone."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from ..api.audit_export import AuditExportRemoved, ListedAuditExport, NewAuditExport
from .audit_exports import AuditExports


class ExportAsked(BaseModel):
    """Is the body that asks for an export (api.audit_export.WantedAuditExport)."""

    url: str
    project: str | None = None
    headers: dict[str, str] = {}
    ca: str | None = None
    private: bool = False
    from_start: bool = False


def audit_export_routes(exports: AuditExports) -> APIRouter:
    # Not below /v1/projects, which other machines may ask for: who gets the audit log is for the operator to say.
    routes = APIRouter(prefix="/v1/audit-exports")

    @routes.get("")
    async def list_exports() -> list[ListedAuditExport]:
        return exports.listed()

    @routes.post("")
    async def add_export(body: ExportAsked) -> NewAuditExport:
        return exports.add(
            {
                "url": body.url, "project": body.project, "headers": body.headers, "ca": body.ca,
                "private": body.private, "from_start": body.from_start,
            }
        )  # fmt: skip

    @routes.delete("/{export}")
    async def remove_export(export: str) -> AuditExportRemoved:
        exports.remove(export)
        return {"removed": export}

    return routes
