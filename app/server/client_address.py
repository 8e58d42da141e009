"""Where a request comes from, believing of `X-Forwarded-For` only what trusted proxies have added."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

ADDRESS = "poolgate.address"  # in the WSGI environ
CLIENT_OF = "poolgate.client_of"  # in the WSGI environ: a function of it, set by app/server/dispatch.py
ANY = "*"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """Those that gunicorn believes, too, when they tell that a request came by https."""

    def __init__(self, trusted: Iterable[str]) -> None:
        """*trusted* are addresses, networks, or `*`: whoever connects to us."""
        trusted = tuple(trusted)
        self._any = ANY in trusted
        self._networks = tuple(ipaddress.ip_network(one) for one in trusted if one != ANY)

    def client_of(self, environ: dict[str, Any]) -> str:
        """
        Return the address that the outermost trusted proxy saw.

        Each proxy appends whom it was called by, so the list is read from its end, as long as the one
        who said it is trusted. What a client wrote itself stands further left, and is never reached.
        """
        caller = _address(environ.get("REMOTE_ADDR", ""))
        hops = [hop for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        if self._any:  # then nobody knows how many proxies there are: the last one's word, no more
            caller = (_address(hops[-1]) if hops else None) or caller
        else:
            while hops and caller is not None and self._trusts(caller):
                before = _address(hops.pop())
                if before is None:
                    break
                caller = before
        return str(caller) if caller is not None else ""

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _address(text: str) -> Address | None:
    """Return the address in *text*, which may have a port behind it."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
