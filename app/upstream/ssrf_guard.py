"""
Refuse connections to addresses that an account must not use (server-side request forgery).

    host of the base URL                 allowed addresses
    an IP, or a name without a dot       any: it can only be a server of the operator
    a name, account `compatible`         any: servers of the operator may have names
    a name, any other account            public addresses only
    any of these                         never the metadata service of a cloud, which has credentials

The base URL is checked when it is stored (schemas/accounts.py), but its name may resolve to another
address later. So the peer of each new connection is checked before anything is sent.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address

from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from schemas.addresses import is_metadata_address, is_public


class ForbiddenAddress(NewConnectionError):
    """The host of an account resolved to an address that the account must not use."""


def check_peer(
    connection: HTTPConnection, sock: socket.socket, *, names_may_be_private: bool
) -> socket.socket:
    """Return *sock*, or close it and raise ForbiddenAddress. A proxy is the operator's own choice."""
    if connection.proxy is not None or sock.family == socket.AF_UNIX:
        return sock
    address = ip_address(sock.getpeername()[0].partition("%")[0])
    may_be_private = names_may_be_private or _is_of_operator(connection.host)
    if is_metadata_address(address) or not (may_be_private or is_public(address)):
        sock.close()
        raise ForbiddenAddress(connection, "its name resolves to a forbidden address")
    return sock


def _is_of_operator(host: str) -> bool:
    if "." not in host:  # IPv6, or a name that no public server can have
        return True
    with suppress(ValueError):
        return bool(ip_address(host.strip("[]").partition("%")[0]))
    return False
