"""The one shape of an error: in the API's answers, in the events of a build, and in `--json`."""

from __future__ import annotations

from typing import TypedDict

from .. import errors
from ..errors import HomeportError


class Failure(TypedDict):
    """An expected error: `category` names its class (see `errors`), `message` says what happened and where, `hint` what
    to do next.
    """

    category: str
    message: str
    hint: str | None


class ErrorAnswer(TypedDict):
    """The whole body of an answer that is an error."""

    error: Failure


def failure_of(error: HomeportError) -> Failure:
    return {"category": error.category, "message": error.message, "hint": error.hint}


def error_answer(error: HomeportError) -> ErrorAnswer:
    return {"error": failure_of(error)}


def error_of(failure: Failure) -> HomeportError:
    """The error that was written as `failure`, as the class it was; a category that this homeport does not know is an
    error like any other.
    """
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HomeportError))
    kind = next((kind for kind in kinds if kind.category == failure["category"]), HomeportError)
    return kind(failure["message"], hint=failure["hint"])


def read_error(body: object) -> HomeportError | None:
    """The error in a decoded ErrorAnswer, None for anything else: a proxy may answer in its place."""
    detail = body.get("error") if isinstance(body, dict) else None
    if not isinstance(detail, dict) or not isinstance(detail.get("message"), str):
        return None
    hint = detail.get("hint") if isinstance(detail.get("hint"), str) else None
    return error_of({"category": str(detail.get("category")), "message": detail["message"], "hint": hint})
