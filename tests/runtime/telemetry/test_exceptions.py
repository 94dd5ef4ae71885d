"""Tests which exception of a chain says what happened, and of what kind it is, by code that passes for an SDK's."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from homeport_runtime.telemetry.exceptions import kind_of, meant

# What passes for code of an SDK: the standard library is none of the user's either.
SDK = """
class ToolError(Exception):
    __module__ = "fastmcp.exceptions"


class NotFoundError(Exception):
    __module__ = "fastmcp.exceptions"


class ValidationError(ValueError):
    __module__ = "pydantic_core"


def call(function):
    try:
        return function()
    except ToolError:
        raise
    except Exception as error:
        raise ToolError("calling the tool") from error


def check():
    raise ToolError("arguments") from ValidationError("no integer")


def find():
    raise NotFoundError("Unknown tool: 'x'")


def unknown():
    raise ToolError("Unknown tool: x")


def caught(function):
    try:
        function()
    except Exception as error:
        return error
"""


@pytest.fixture
def sdk() -> Any:
    module = ModuleType("the_sdk_of_a_test")
    exec(compile(SDK, json.__file__, "exec"), vars(module))
    return module


def caught(function: Callable[[], object]) -> Exception:
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def crash() -> None:
    raise KeyError("k")


def test_what_an_sdk_wraps(sdk: Any) -> None:
    error = caught(lambda: sdk.call(crash))
    assert type(error).__name__ == "ToolError"
    assert repr(meant(error)) == "KeyError('k')"
    assert kind_of(error) == "exception"


def test_a_wrapper_that_has_passed_middleware_of_the_users_own(sdk: Any) -> None:
    def middleware() -> object:
        return sdk.call(crash)

    assert kind_of(caught(middleware)) == "exception"


def test_what_the_server_means_to_say(sdk: Any) -> None:
    def tell() -> None:
        raise sdk.ToolError("not today")

    def tell_of_another() -> None:
        try:
            crash()
        except KeyError as error:
            raise sdk.ToolError("no such row") from error

    assert kind_of(caught(tell)) == "tool"
    assert kind_of(caught(tell_of_another)) == "tool"
    assert kind_of(caught(lambda: sdk.call(tell_of_another))) == "tool"


def test_what_concerns_the_caller(sdk: Any) -> None:
    assert kind_of(sdk.caught(sdk.check)) == "arguments"
    assert kind_of(sdk.caught(sdk.find)) == "unknown"
    assert kind_of(sdk.caught(sdk.unknown)) == "unknown"


def test_a_group_of_one_and_a_circle() -> None:
    class Group(Exception):
        def __init__(self, *inner: Exception) -> None:
            super().__init__("a task failed")
            self.exceptions = inner

    inner = caught(crash)
    assert meant(Group(inner)) is inner
    first, second = KeyError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first
    assert kind_of(first) == "exception"
