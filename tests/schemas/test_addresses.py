"""Metadata services are recognized in every form of their address."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from schemas.addresses import is_metadata_address, is_public


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "fe80::1",
    ],
)
def test_metadata(text: str) -> None:
    assert is_metadata_address(ip_address(text))
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["10.0.0.1", "192.168.1.1", "127.0.0.1", "fd12::1"])
def test_private_addresses_are_neither(text: str) -> None:
    assert not is_metadata_address(ip_address(text))
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111"])
def test_public(text: str) -> None:
    assert is_public(ip_address(text))
