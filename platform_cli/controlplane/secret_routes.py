"""Serves the part of the API for secrets, which takes values and never returns any."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, SecretStr

from ..api.secret import ListedSecret, SecretsSet, SecretUnset
from ..config.names import check_name
from ..secrets.base import check_secret_name
from .secret_changes import SecretChanges


class Values(BaseModel):
    """Is the body that sets secrets; `apply` makes a release with them."""

    values: dict[str, SecretStr]
    apply: bool = True


def secret_routes(secrets: SecretChanges) -> APIRouter:
    routes = APIRouter(prefix="/v1/projects/{name}/secrets")

    @routes.get("")
    async def list_secrets(name: str) -> list[ListedSecret]:
        return secrets.listed(name)

    @routes.put("")
    async def set_secrets(name: str, body: Values) -> SecretsSet:
        check_name(name, "the project name")
        values = {key: value.get_secret_value() for key, value in body.values.items()}
        return await secrets.set(name, values, apply=body.apply)

    @routes.delete("/{secret}")
    async def unset_secret(name: str, secret: str) -> SecretUnset:
        check_secret_name(secret)
        return await secrets.unset(name, secret)

    return routes
