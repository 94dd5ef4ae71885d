"""Tests which addresses belong to the public internet."""

from __future__ import annotations

import pytest

from platform_cli.outbound.addresses import is_public_address


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111"])
def test_public_addresses(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.0.0.1",
            "172.16.5.5",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
        *("::7f00:1", "::ffff:0:7f00:1", "fec0::1"),
        *(
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "64:ff9b:1::a00:1",
            "255.255.255.255",
            "fe80::1%eth0",
            "localhost",
            "",
        ),
    ],
)
def test_addresses_of_ones_own_network(address: str) -> None:
    assert not is_public_address(address)
