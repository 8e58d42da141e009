"""
The signed session cookie of the admin pages; it becomes invalid when its session ends in the store.

It contains the secret id of a session, the CSRF token and the notices of the next page. Nothing is stored for
anonymous clients, so they cannot fill the store.
"""

from __future__ import annotations

from typing import cast

from flask import request, session

from app import administration
from app.admin.header_sign_in import header_mark
from app.admin.services import services
from app.admin.session_cookie import SessionCookie
from app.server.client_address import ADDRESS
from app.stores.records.operators import ActiveSession, Identity, SignInMethod
from app.stores.sessions import LIFE_SECONDS

COOKIE = SessionCookie("poolgate", "poolgate admin", "/admin", "Lax", LIFE_SECONDS)
SECRET, HEADER_MARK = "sid", "by"


def address() -> str:
    """Return the address of the client."""
    environ = request.environ
    return cast(str, environ.get(ADDRESS, environ.get("REMOTE_ADDR", "")))


def secret() -> str:
    """Return the secret id in this request's cookie, or ''."""
    value = session.get(SECRET)
    return value if isinstance(value, str) else ""


def current() -> ActiveSession | None:
    """Return the session of this request, and extend its lifetime."""
    session_id = secret()
    if not session_id or session.get(HEADER_MARK, "") not in ("", header_mark()):
        return None
    active = _touch(session_id)
    if active is not None and active.is_stale:  # the role rules of the settings have changed
        administration.external_sign_in(services(), address()).review(active.session.operator)
        active = _touch(session_id)
    return active


def _touch(session_id: str) -> ActiveSession | None:
    """Return the session; None also if the issuer that began it is no longer in the settings."""
    active = services().operator_stores.sessions.touch(session_id)
    by_issuer = active is not None and active.session.method is SignInMethod.OIDC
    return None if by_issuer and services().oidc is None else active


def sign_in(operator: str, identity: Identity | None = None) -> None:
    """
    Start a session of *operator*, who signed in by *identity* or else a password, with a new CSRF token.
    """
    sign_out()
    session[SECRET] = services().operator_stores.sessions.open(
        operator, address=address(), agent=request.headers.get("User-Agent", ""), identity=identity
    )
    if identity is not None and identity.method is SignInMethod.HEADER:
        session[HEADER_MARK] = header_mark()


def sign_out() -> None:
    """End the session of this request and clear its cookie."""
    session_id = secret()
    session.clear()
    if session_id:
        services().operator_stores.sessions.end_by_secret(session_id)
