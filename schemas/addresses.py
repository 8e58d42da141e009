"""
Addresses of cloud metadata services, which hand out credentials: no account may use them.

Sources: the metadata services as documented by AWS (IMDS, EKS Pod Identity), Google Cloud, Azure
(WireServer), Oracle Cloud, Alibaba Cloud and Scaleway; their IPv4 forms are link-local except those
listed. An IPv6 address can embed an IPv4 address, which is checked as well: RFC 4291 (mapped,
compatible), RFC 6052 and RFC 8215 (NAT64), RFC 2765 (SIIT), RFC 3056 (6to4), RFC 4380 (Teredo).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

METADATA = frozenset(
    (
        *("100.100.100.200", "168.63.129.16", "192.0.0.192"),  # Alibaba, Azure, Oracle
        *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"),  # AWS, EKS, Google
        *("fd00:c1::a9fe:a9fe", "fd00:42::42"),  # Oracle, Scaleway
    )
)
# Prefixes whose last 32 bits are an IPv4 address.
_CARRIERS = tuple(map(IPv6Network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_MASK = 0xFFFFFFFF


def forms_of(address: Address) -> list[Address]:
    """Return *address* and every IPv4 address that it embeds."""
    return [address, *(_carried(address) if isinstance(address, IPv6Address) else ())]


def is_metadata_address(address: Address) -> bool:
    """Return whether *address*, in any of its forms, is a metadata service or link-local."""
    return any(form.is_link_local or str(form) in METADATA for form in forms_of(address))


def is_public(address: Address) -> bool:
    """Return whether *address* is on the public internet. A mapped IPv4 address is checked as IPv4."""
    plain = getattr(address, "ipv4_mapped", None) or address
    return all(form.is_global for form in forms_of(plain))


def _carried(address: IPv6Address) -> Iterator[IPv4Address]:
    number = int(address)
    if any(address in network for network in _CARRIERS):
        yield IPv4Address(number & _MASK)
    if address in _LOCAL_NAT64:  # RFC 6052: after a prefix of 48 or 96 bits
        yield IPv4Address(number & _MASK)
        yield IPv4Address((number >> 64 & 0xFFFF) << 16 | (number >> 40 & 0xFFFF))
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
