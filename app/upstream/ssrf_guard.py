"""
Refuse connections to addresses that an account must not use (server-side request forgery).

    host of the base URL                 allowed addresses
    an IP, or a name without a dot       any: it can only be a server of the operator
    a name, account `compatible`         any: servers of the operator may have names
    a name, any other account            public addresses only
    any of these                         never the metadata service of a cloud, which has credentials
    a proxy, of the environment          any but such a service: it is the operator's own choice
    or of the account

A proxy of http, https or socks5h resolves the host itself, so its own rules decide where it connects to. One
of socks5 is sent an address, which is checked as it is without a proxy.

The base URL is checked when it is stored (schemas/accounts.py), but its name may resolve to another
address later. So the peer of each new connection is checked before anything is sent.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from socks import socksocket
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from schemas.addresses import is_metadata_address, is_public


class ForbiddenAddress(NewConnectionError):
    """The host of an account resolved to an address that the account must not use."""


def check_peer(
    connection: HTTPConnection, sock: socket.socket, *, names_may_be_private: bool
) -> socket.socket:
    """Return *sock*, or close it and raise ForbiddenAddress. *sock* may be connected to a proxy."""
    if sock.family == socket.AF_UNIX:
        return sock
    may_be_private = names_may_be_private or _is_of_operator(connection.host)
    host = sock.getpeername()[0].partition("%")[0]
    if isinstance(sock, socksocket):  # *host* was sent to the proxy: an address or a name
        is_forbidden = is_metadata_address(
            ip_address(super(socksocket, sock).getpeername()[0].partition("%")[0])
        )
        is_forbidden |= _is_address(host) and _is_forbidden(ip_address(host), may_be_private)
    elif connection.proxy is not None:
        is_forbidden = is_metadata_address(ip_address(host))
    else:
        is_forbidden = _is_forbidden(ip_address(host), may_be_private)
    if is_forbidden:
        sock.close()
        raise ForbiddenAddress(connection, "its name resolves to a forbidden address")
    return sock


def _is_forbidden(address: Any, may_be_private: bool) -> bool:
    return is_metadata_address(address) or not (may_be_private or is_public(address))


def _is_of_operator(host: str) -> bool:
    return "." not in host or _is_address(host)  # an IPv6 address, or a name that no public server can have


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(host.strip("[]").partition("%")[0]))
    return False
