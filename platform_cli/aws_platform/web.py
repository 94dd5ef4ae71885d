"""Runs the function that the world sees: GitHub's webhook, and the API for linked repositories, behind a Function URL.

Mangum turns its events into ASGI requests; answers come in one piece, which is right here. A body may have 6 MB, which
Lambda itself checks (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
"""

from __future__ import annotations

import hmac
import os
from functools import cache
from typing import Any

from mangum import Mangum

from homeport_runtime.asgi import ASGIApp, Receive, Scope, Send

from ..api.gate import Gate
from ..bearer import hash_of
from ..pushes.deliveries import Deliveries
from ..pushes.webhook import Webhook
from ..targets.aws_lambda.client import AWS
from .deployments import DynamoDeployments
from .links import DynamoLinks, SecretsManagerVault
from .names import TOKEN_VARIABLE
from .queue import DynamoPings, Queue
from .table import Table


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers one request of a Function URL (payload format 2.0)."""
    answer: dict[str, Any] = _mangum()(event, context)
    return answer


@cache
def _mangum() -> Mangum:
    aws = AWS(None)
    table = Table(aws)
    links = DynamoLinks(table, SecretsManagerVault(aws))
    deliveries = Deliveries(links, DynamoDeployments(table), DynamoPings(table), Queue(aws).wake)
    return Mangum(Gate(_api, Webhook(deliveries), _accepts), lifespan="off")


def _accepts(token: str) -> bool:
    return hmac.compare_digest(hash_of(token), os.environ[TOKEN_VARIABLE])


async def _api(scope: Scope, receive: Receive, send: Send) -> None:
    await _loaded_api()(scope, receive, send)


@cache
def _loaded_api() -> ASGIApp:
    """Loads the API on its first request, since importing FastAPI takes as long as everything else that a delivery
    needs.
    """
    from .api import create_app

    return create_app(AWS(None))
