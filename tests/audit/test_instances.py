"""Tests that what a server prints is no line of an audit log that its process prints, whatever it looks like."""

from __future__ import annotations

import json

import pytest

from homeport_runtime.guard.audit_chain import AuditChain
from platform_cli.api.audit_query import AuditQuery
from platform_cli.audit.instances import is_line, selected, verify_instances
from platform_cli.audit.ocsf import ocsf

SAID = (
    '{"audit":{"client_id":null,"user_id":null,"scopes_used":[],"tool_name":"add","arguments":{},"ip_address":null,'
    '"method":"tools/call","request":null,"result":"success","ms":1.5},"time":1769437395.0}'
)


@pytest.fixture
def line(capfd: pytest.CaptureFixture[str]) -> str:
    AuditChain("audited", "v1").write(SAID)
    return capfd.readouterr().out.strip()


def test_a_line_is_an_entry(line: str) -> None:
    (entry,) = selected([line.encode()], AuditQuery())
    assert ocsf(entry)["duration"] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": 5},
        {"ip_address": ["x"]},
        {"result": "fine"},
        {"ms": "long"},
        {"timestamp": "2026-99-26T14:23:15.000Z"},
        {"release": None},
        {"arguments": "deep"},
    ],
)
def test_what_a_server_prints_is_none(line: str, change: dict[str, object]) -> None:
    text = json.dumps({**json.loads(line), **change}, separators=(",", ":"))
    printed = text.replace('"deep"', "[" * 40_000).encode()
    assert is_line(printed.decode())
    assert [*selected([b'{"seq":1,"instance":"","hash":""}', printed], AuditQuery(client="*"))] == []
    assert not verify_instances("audited", [printed])["ok"]
