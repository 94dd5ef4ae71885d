"""Defines the one shape of an error: in the API's answers, in the events of a build, and in `--json`."""

from __future__ import annotations

from typing import TypedDict

from .. import errors
from ..errors import HomeportError


class Failure(TypedDict):
    """Holds an expected error.

    `category` names its class (see `errors`), `message` tells what happened and where, `hint` what to do next.
    """

    category: str
    message: str
    hint: str | None


class ErrorAnswer(TypedDict):
    """Is the whole body of an answer that reports an error."""

    error: Failure


def failure_of(error: HomeportError) -> Failure:
    return {"category": error.category, "message": error.message, "hint": error.hint}


def error_answer(error: HomeportError) -> ErrorAnswer:
    return {"error": failure_of(error)}


def error_of(failure: Failure) -> HomeportError:
    """Returns the error that was written as `failure`, in its own class.

    It is a plain HomeportError if this version does not know the category.
    """
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HomeportError))
    kind = next((kind for kind in kinds if kind.category == failure["category"]), HomeportError)
    return kind(failure["message"], hint=failure["hint"])


def read_error(body: object) -> HomeportError | None:
    """Returns the error in a decoded ErrorAnswer, None for anything else, since a proxy may answer instead of the
    platform.
    """
    detail = body.get("error") if isinstance(body, dict) else None
    if not isinstance(detail, dict) or not isinstance(detail.get("message"), str):
        return None
    hint = detail.get("hint") if isinstance(detail.get("hint"), str) else None
    return error_of({"category": str(detail.get("category")), "message": detail["message"], "hint": hint})
