"""The client's address: of `X-Forwarded-For` only entries of trusted proxies count."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

ADDRESS = "poolgate.address"  # variable in the WSGI environment
CLIENT_OF = "poolgate.client_of"  # variable with a function of the environment, set by dispatch.py
ANY = "*"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The trusted proxies; gunicorn trusts the same for `X-Forwarded-Proto`."""

    def __init__(self, trusted: Iterable[str]) -> None:
        """*trusted* are addresses, networks, or `*` for every peer."""
        trusted = tuple(trusted)
        self._any = ANY in trusted
        self._networks = tuple(ipaddress.ip_network(network) for network in trusted if network != ANY)

    def client_of(self, environ: dict[str, Any]) -> str:
        """
        Return the address that the outermost trusted proxy saw.

        Each proxy appends the address of its peer, so the list is read from its end while the proxy that
        appended an entry is trusted. Entries that the client wrote are further left, and never read.
        """
        caller = _address(environ.get("REMOTE_ADDR", ""))
        hops = [hop for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        # Every peer is trusted, so the number of proxies is unknown: only the last entry counts
        if self._any:
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
    """Return the address in *text*, which may include a port; None if there is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
