"""Tests where telemetry is sent, and what becomes of what a collector does not take."""

from __future__ import annotations

import asyncio

import pytest

from platform_cli.otlp.encoding import Log, logs_message
from platform_cli.otlp.endpoints import Endpoint, read_endpoints, read_resource
from platform_cli.otlp.sender import Outcome, Sender

from .collector import collector

BASE = "OTEL_EXPORTER_OTLP"
MESSAGE = logs_message({"service.name": "shop"}, [Log(1.0, "info", "hello")])


def send(endpoint: Endpoint, times: int = 1) -> list[Outcome]:
    async def sent() -> list[Outcome]:
        async with Sender(endpoint) as sender:
            return [await sender.send(MESSAGE) for _ in range(times)]

    return asyncio.run(sent())


def test_nothing_is_sent_unless_asked() -> None:
    assert read_endpoints({}) == ({}, [])
    assert read_endpoints({f"{BASE}_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "true"}) == ({}, [])


def test_one_endpoint_is_for_all_signals_and_each_may_have_its_own() -> None:
    found, problems = read_endpoints(
        {
            f"{BASE}_ENDPOINT": "http://a:4318/x/",
            f"{BASE}_HEADERS": "authorization=Basic%20abc, x-two = 2",
            f"{BASE}_TRACES_ENDPOINT": "https://b/own",
            f"{BASE}_TRACES_HEADERS": "api-key=s3cret",
            f"{BASE}_TRACES_COMPRESSION": "gzip",
            f"{BASE}_TIMEOUT": "2500",
            "OTEL_METRICS_EXPORTER": "none",
        }
    )
    assert problems == []
    assert found == {
        "logs": Endpoint("http://a:4318/x/v1/logs", {"authorization": "Basic abc", "x-two": "2"}, 2.5),
        "traces": Endpoint("https://b/own", {"api-key": "s3cret"}, 2.5, is_compressed=True),
    }
    assert "s3cret" not in repr(found)


def test_what_cannot_be_sent_is_said() -> None:
    found, problems = read_endpoints(
        {f"{BASE}_LOGS_ENDPOINT": "collector:4317", f"{BASE}_ENDPOINT": "http://a", f"{BASE}_METRICS_PROTOCOL": "grpc"}
    )
    assert list(found) == ["traces"]
    assert ["metrics" in problems[0], "logs" in problems[1]] == [True, True]


def test_resource() -> None:
    assert read_resource({"OTEL_RESOURCE_ATTRIBUTES": "a=b%20c,d=e", "OTEL_SERVICE_NAME": "mine"}) == {
        "a": "b c", "d": "e", "service.name": "mine",
    }  # fmt: skip


@pytest.mark.parametrize("is_compressed", [False, True])
def test_taken(is_compressed: bool) -> None:
    with collector() as there:
        endpoint = Endpoint(f"{there.url}/v1/logs", {"authorization": "Bearer x"}, 10.0, is_compressed)
        assert send(endpoint, 2) == [Outcome(), Outcome()]
        assert [log.body.string_value for log in there.logs] == ["hello", "hello"]
        assert there.headers[0]["authorization"] == "Bearer x"


def test_later_never_and_in_part() -> None:
    with collector() as there:
        there.answers = [
            (503, {}, b""),
            (429, {"Retry-After": "7"}, b""),
            (400, {}, b"no"),
            (302, {"Location": "http://169.254.169.254/"}, b""),
            (200, {}, b'{"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "too old"}}'),
        ]
        first, second, third, fourth, fifth = send(Endpoint(f"{there.url}/v1/logs"), 5)
    assert first == Outcome(error="HTTP 503", retry_s=1.0)
    assert second == Outcome(error="HTTP 429", retry_s=7.0)
    assert third == Outcome(rejected=None, error="HTTP 400")
    assert fourth == Outcome(rejected=None, error="HTTP 302")
    assert fifth == Outcome(rejected=1, error="too old")


def test_a_collector_that_is_away_is_asked_less_and_less_often() -> None:
    with collector() as there:
        url = there.url
    outcomes = send(Endpoint(f"{url}/v1/logs?secret=x"), 4)
    assert [outcome.retry_s for outcome in outcomes] == [1.0, 2.0, 4.0, 8.0]
    assert "secret" not in str(outcomes)
