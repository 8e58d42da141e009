"""
Sign-in by a header of a trusted proxy, such as X-Forwarded-User.

The header counts only if the proxy is the peer of the connection; X-Forwarded-For is ignored. A session that
began by the header is valid only for requests with the same header.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from flask import request

from app.admin.services import services
from app.config import UNIX
from app.operators.external_users import ExternalUser
from app.stores.records.operators import Identity, SignInMethod
from app.stores.secrets import digest_of

MAX_CHARS, MAX_GROUPS = 200, 2000


def header_user() -> ExternalUser | None:
    """
    Return the person whom the header names; None without the header, or if the peer is no trusted proxy.
    """
    settings = services().settings.sign_in
    if not settings.user_header or not _is_from_proxy(settings.user_header_from):
        return None
    name = request.headers.get(settings.user_header, "").strip()
    if not 0 < len(name) <= MAX_CHARS or "," in name:  # a comma: the header was sent twice
        return None
    groups = request.headers.get(settings.groups_header, "") if settings.groups_header else ""
    return ExternalUser(
        identity=Identity(SignInMethod.HEADER, settings.user_header.lower(), name),
        name=name,
        email=name if "@" in name else "",
        groups=frozenset(filter(None, (group.strip() for group in groups.split(",")[:MAX_GROUPS]))),
    )


def header_mark() -> str:
    """Return a short text that changes with the person and groups in the headers, '' for no person."""
    user = header_user()
    return "" if user is None else digest_of(f"{user.identity.digest} {sorted(user.groups)}")[:32]


def _is_from_proxy(networks: tuple[str, ...]) -> bool:
    peer = request.environ.get("REMOTE_ADDR") or ""
    if not peer:
        return UNIX in networks
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ip_network(network) for network in networks if network != UNIX)
