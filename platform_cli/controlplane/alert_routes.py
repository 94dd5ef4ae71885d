"""Serves the part of the API that makes, lists, tests and removes alerts."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from ..api.alert import AlertKind, AlertRemoved, AlertTested, Channel, ListedAlert, NewAlert
from ..errors import InputError
from .alerts import Alerts


class AlertAsked(BaseModel):
    """Is the body that asks for an alert (api.alert.WantedAlert)."""

    url: str
    channel: Channel | None = None
    project: str | None = None
    kinds: list[AlertKind] | None = None
    error_rate: float | None = None
    p95_ms: float | None = None
    silent_s: float | None = None
    private: bool = False


def alert_routes(alerts: Alerts) -> APIRouter:
    routes = APIRouter(prefix="/v1/alerts")

    @routes.get("")
    async def list_alerts() -> list[ListedAlert]:
        return alerts.listed()

    @routes.post("")
    async def add_alert(body: AlertAsked, request: Request) -> NewAlert:
        # A client of the Unix socket has no address.
        if body.private and request.client is not None:
            raise InputError(
                "that an alert goes into the platform's own network is for its own machine to say",
                hint="run the command over there",
            )
        return await alerts.add(
            {
                "url": body.url,
                "channel": body.channel,
                "project": body.project,
                "kinds": body.kinds,
                "error_rate": body.error_rate,
                "p95_ms": body.p95_ms,
                "silent_s": body.silent_s,
                "private": body.private,
            }
        )

    @routes.post("/{alert}/test")
    async def test_alert(alert: str) -> AlertTested:
        return await alerts.test(alert)

    @routes.delete("/{alert}")
    async def remove_alert(alert: str) -> AlertRemoved:
        alerts.remove(alert)
        return {"removed": alert}

    return routes
