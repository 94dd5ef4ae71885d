from __future__ import annotations

import pytest

from platform_cli.controlplane.domain import Domain, read_domain
from platform_cli.errors import InputError


def test_a_domain_gives_each_project_a_name() -> None:
    domain = read_domain("MCP.example.com")
    assert domain == Domain("mcp.example.com", 443)
    assert (str(domain), domain.host("one")) == ("mcp.example.com", "one.mcp.example.com")
    assert domain.project_url("one") == "https://one.mcp.example.com"


def test_a_port_stays_in_every_url() -> None:
    domain = read_domain("mcp.localhost:8443")
    assert (domain.name, str(domain)) == ("mcp.localhost", "mcp.localhost:8443")
    assert domain.project_url("one") == "https://one.mcp.localhost:8443"
    assert read_domain(str(domain)) == domain


@pytest.mark.parametrize(
    "text",
    ["", "example", "https://mcp.example.com", "mcp.example.com/", "*.example.com", "mcp.example.com:", "a.b:0",
     "a.b:65536", "a.b:x", "a.b:-1", "a.b:1:2", "1.2.3.4", "a..b", "a.b {", "a.b\nrespond", "a_b.c", "-a.b",
     ".".join(["x" * 60] * 4)],
)  # fmt: skip
def test_what_is_no_domain(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_domain(text)
    assert "mcp.example.com" in (caught.value.hint or "")
