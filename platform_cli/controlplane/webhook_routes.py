"""The webhook: GitHub's deliveries, which their signature authenticates."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ..github.webhook import MAX_BODY
from .deliveries import Deliveries
from .linking import WEBHOOK_PATH


def webhook_routes(deliveries: Deliveries) -> APIRouter:
    routes = APIRouter()

    @routes.post(WEBHOOK_PATH)
    async def webhook(request: Request) -> JSONResponse:
        headers = request.headers
        hook_id = headers.get("x-github-hook-id", "")
        known = hook_id.isascii() and hook_id.isdigit() and len(hook_id) < 19
        if not known or not deliveries.knows(int(hook_id)):
            # Nobody else's body is even read.
            return _answer(401, "the signature is not that of a linked repository", close=True)
        body = await _received(request)
        if body is None:
            return _answer(413, f"a delivery may have {MAX_BODY // 1024**2} MB", close=True)
        sender = deliveries.sender(int(hook_id), body, headers.get("x-hub-signature-256"))
        if sender is None:
            return _answer(401, "the signature is not that of a linked repository")
        delivery = headers.get("x-github-delivery", "")
        if not delivery or len(delivery) > 100:
            return _answer(400, "X-GitHub-Delivery is missing")
        try:
            projects = deliveries.receive(sender, delivery, headers.get("x-github-event", ""), body)
        except ValueError as error:
            return _answer(400, str(error))
        return JSONResponse({"deploying": projects}, status_code=202)

    return routes


def _answer(status: int, message: str, *, close: bool = False) -> JSONResponse:
    body = {"error": {"category": "input", "message": message, "hint": None}}
    return JSONResponse(body, status_code=status, headers={"Connection": "close"} if close else None)


async def _received(request: Request) -> bytes | None:
    """The body; None when it is larger than GitHub's deliveries are, of which no more than that is kept."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_BODY:
        return None
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY:
            return None
    return b"".join(chunks)
