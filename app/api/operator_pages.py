"""The address of the operators' pages, for a browser that reached this gateway."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from app.config import Settings

PATH = "/admin/"
_ANY = ("", "0.0.0.0", "::")  # hosts that mean every address of the machine


def find_operator_pages(settings: Settings, scheme: str, host: str) -> str:
    """
    Return the address of the operators' pages for a browser that uses *scheme* and the Host header *host*.

    '' if they are off, or if it is unknown: pages with a port of their own, behind a proxy or on a host that
    the browser cannot reach.
    """
    if settings.admin_port is None:
        return PATH if settings.admin == "on" else ""
    try:
        name, port = urlsplit(f"//{host}").hostname or "", urlsplit(f"//{host}").port
    except ValueError:
        return ""
    if port != settings.port:  # a proxy has another address than the gateway
        return ""
    own = settings.admin_host
    if own in _ANY or (_is_loopback(own) and _is_loopback(name)):
        own = name
    elif _is_loopback(own):
        return ""
    return f"{scheme}://{f'[{own}]' if ':' in own else own}:{settings.admin_port}{PATH}"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
