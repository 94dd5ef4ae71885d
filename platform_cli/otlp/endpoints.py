"""Reads from the environment where telemetry is sent, by OpenTelemetry's names
(https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from ..addresses import read_http_url

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")
PREFIX = "OTEL_EXPORTER_OTLP"
# Protocols in the place of OTLP/HTTP whose collectors understand JSON, too, which is what is sent.
PROTOCOLS = ("", "http/json", "http/protobuf")
DEFAULT_TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Is where one signal is sent. The headers are often a password, and are not shown."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_MS / 1000
    is_compressed: bool = False


def read_endpoints(environment: Mapping[str, str]) -> tuple[dict[Signal, Endpoint], list[str]]:
    """Returns the endpoint of each signal that has one, and what is wrong with the variables of the others."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return {}, []
    found: dict[Signal, Endpoint] = {}
    problems = []
    for signal in SIGNALS:
        try:
            endpoint = _endpoint(environment, signal)
        except ValueError as error:
            problems.append(str(error))
            continue
        if endpoint is not None:
            found[signal] = endpoint
    return found, problems


def read_resource(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the attributes of OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME."""
    said = _pairs(environment.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    name = environment.get("OTEL_SERVICE_NAME")
    return {**said, "service.name": name} if name else said


def _endpoint(environment: Mapping[str, str], signal: Signal) -> Endpoint | None:
    def variable(name: str) -> str:
        return environment.get(f"{PREFIX}_{signal.upper()}_{name}") or environment.get(f"{PREFIX}_{name}") or ""

    if environment.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() == "none":
        return None
    own = environment.get(f"{PREFIX}_{signal.upper()}_ENDPOINT")
    base = environment.get(f"{PREFIX}_ENDPOINT")
    # An endpoint for all signals gets each signal's path; one of its own is used as it is.
    url = own or (f"{base.rstrip('/')}/v1/{signal}" if base else None)
    if url is None:
        return None
    if read_http_url(url) is None:
        raise ValueError(f"the {signal} endpoint is no http or https URL")
    if (protocol := variable("PROTOCOL")) not in PROTOCOLS:
        raise ValueError(f"{PREFIX}_PROTOCOL is {protocol!r}: {signal} are sent by http/json alone")
    timeout = variable("TIMEOUT")
    return Endpoint(
        url,
        _pairs(variable("HEADERS")),
        (int(timeout) if timeout.isdecimal() else DEFAULT_TIMEOUT_MS) / 1000,
        variable("COMPRESSION") == "gzip",
    )


def _pairs(text: str) -> dict[str, str]:
    """Returns `key=value` pairs that are separated by commas, with their values percent-decoded (W3C Baggage)."""
    pairs = (part.split("=", 1) for part in text.split(",") if "=" in part)
    return {key.strip(): unquote(value.strip()) for key, value in pairs}
