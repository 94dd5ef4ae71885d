"""Serves the part of the API that makes, lists and revokes the client tokens of a project."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from ..api.client_token import ListedClientToken, NewClientToken
from ..api.platform import Revoked
from .client_token_changes import ClientTokenChanges


class ClientTokenAsked(BaseModel):
    """Is the body that asks for a client token (api.client_token.WantedClientToken)."""

    client: str
    user: str | None
    scopes: list[str] | None
    expires_s: float | None


def client_token_routes(tokens: ClientTokenChanges) -> APIRouter:
    routes = APIRouter(prefix="/v1/projects/{name}/tokens")

    @routes.get("")
    async def list_tokens(name: str) -> list[ListedClientToken]:
        return tokens.listed(name)

    @routes.post("")
    async def create_token(name: str, body: ClientTokenAsked) -> NewClientToken:
        return await tokens.create(
            name, {"client": body.client, "user": body.user, "scopes": body.scopes, "expires_s": body.expires_s}
        )

    @routes.delete("/{token}")
    async def revoke_token(name: str, token: str) -> Revoked:
        await tokens.revoke(name, token)
        return {"revoked": token}

    return routes
