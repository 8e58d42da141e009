"""
Where a connection to an account may lead, judged by the address that it did lead to.

    an IP, or a name without a dot     anywhere: it can only mean something of one's own
    a name, account `compatible`       anywhere: a server of one's own has one
    a name, any other account          public addresses alone, whatever the name resolves to today
    any of them                        never a cloud's service of machine credentials

What an administrator may write is checked before (schemas/accounts.py); a name can be made to
lead elsewhere after that, so each new connection is checked before a byte is sent.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address

from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError

from schemas.addresses import is_metadata_address, is_public


class ForbiddenAddress(NewConnectionError):
    """The name of an account's server leads where this account must not go."""


def check_peer(
    connection: HTTPConnection, sock: socket.socket, *, names_may_be_private: bool
) -> socket.socket:
    """Return *sock*, or close it and raise ForbiddenAddress. A proxy is the operator's own choice."""
    if connection.proxy is not None or sock.family == socket.AF_UNIX:
        return sock
    address = ip_address(sock.getpeername()[0].partition("%")[0])
    may_be_private = names_may_be_private or _is_ones_own(connection.host)
    if is_metadata_address(address) or not (may_be_private or is_public(address)):
        sock.close()
        raise ForbiddenAddress(connection, "a name that leads to an address it must not lead to")
    return sock


def _is_ones_own(host: str) -> bool:
    if "." not in host:  # IPv6, or a name that no public server can have
        return True
    with suppress(ValueError):
        return bool(ip_address(host.strip("[]").partition("%")[0]))
    return False
