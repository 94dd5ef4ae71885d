"""Answers what the page Try asks while somebody fills in its form: what that makes, and the same for other clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ..clients.exact import read_object
from ..errors import InputError
from ..playground.form import Form, form_of
from ..playground.offers import Offer, offers_of
from ..playground.snippets import snippets
from ..playground.values import Filled, Typed, fill
from .pages.trying import find_offer
from .rendering import render
from .source import Source
from .text import Whole

# The bytes of what a form is filled in with.
MAX_BODY = 4 * 1024 * 1024

Body = TypeVar("Body", bound=BaseModel)
Handler = Callable[[Request], Awaitable[Response]]


class TypedField(BaseModel):
    text: str
    mode: Literal["absent", "null", "value"] = "absent"

    def typed(self) -> Typed:
        return Typed(self.text, self.mode)


class FilledOffer(BaseModel):
    """Is what was typed into the form of an offer, in the order of its fields."""

    kind: str
    key: str
    typed: list[TypedField]


class ChosenRequest(BaseModel):
    """Is a request as JSON text, and the offer that it is for."""

    kind: str
    key: str
    params: str


class Elicitation(BaseModel):
    """Is the schema of what a server asks for, as JSON text, and what was typed into its form."""

    asked: str
    typed: list[TypedField] = []


def trying_routes(source: Source, guarded: Callable[[Handler], Handler]) -> list[Route]:
    """Returns the routes of the page; `guarded` lets in whoever has a key, and answers for errors."""

    async def params(request: Request) -> Response:
        body = await _read(request, FilledOffer)
        offer = _offer(source, request, body.kind, body.key)
        return _told(offer.form, offer.fill([each.typed() for each in body.typed]))

    async def elsewhere(request: Request) -> Response:
        body = await _read(request, ChosenRequest)
        offer, project = _offer(source, request, body.kind, body.key), request.path_params["project"]
        status = source.status(project)
        made = snippets(
            project,
            status["mcp_url"],
            offer.method,
            read_object(body.params),
            offer.schema,
            is_guarded=status["auth"] != "none",
        )
        return HTMLResponse(render("snippets.html", {"snippets": [(each.label, Whole(each.text)) for each in made]}))

    async def form(request: Request) -> Response:
        asked = read_object((await _read(request, Elicitation)).asked)
        return HTMLResponse(render("fields.html", {"form": form_of(asked), "prefix": "e"}))

    async def content(request: Request) -> Response:
        body = await _read(request, Elicitation)
        made = form_of(read_object(body.asked))
        names = (field.name for field in made.fields)
        return _told(made, fill(made.fields, dict(zip(names, (each.typed() for each in body.typed), strict=False))))

    project = "/console/f/projects/{project}/try"
    handlers = {
        f"{project}/params": params,
        f"{project}/snippets": elsewhere,
        f"{project}/form": form,
        f"{project}/content": content,
    }
    return [Route(path, guarded(handler), methods=["POST"]) for path, handler in handlers.items()]


def _offer(source: Source, request: Request, kind: str, key: str) -> Offer:
    return find_offer(offers_of(source.contract(request.path_params["project"])), kind, key)


def _told(form: Form, filled: Filled) -> Response:
    errors = [filled.errors.get(field.name) for field in form.fields]
    return JSONResponse({"json": filled.json, "errors": errors})


async def _read(request: Request, shape: type[Body]) -> Body:
    """Returns the body of a request. Raises InputError if that is too large, or something else."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise InputError("this is too much for a form", hint="`homeport call` takes more")
    try:
        return shape.model_validate_json(body)
    except ValidationError:
        raise InputError("this is not what the page sends", hint="open the page again") from None
