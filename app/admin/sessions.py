"""
The cookie of the admin pages: signed, and of no use once its session is ended in the store.

It carries the secret id of a session, the CSRF token and the next page's notices. Nothing is stored
for a visitor who is not signed in, so strangers cannot fill the store that the gateway lives on.
"""

from __future__ import annotations

import hashlib
from typing import cast

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface

from app.admin.services import services
from app.operators.sessions import LIFE_SECONDS, Session
from app.server.client_address import ADDRESS

COOKIE, SECURE_COOKIE = "poolgate", "__Secure-poolgate"
SECRET = "sid"


class _Cookie(SecureCookieSessionInterface):
    salt = "poolgate admin"
    digest_method = staticmethod(hashlib.sha256)

    def get_cookie_name(self, app: Flask) -> str:
        """A browser takes `__Secure-…` by https alone, so nobody on the way can plant one by http."""
        return SECURE_COOKIE if request.is_secure else COOKIE

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def prepare(app: Flask, keys: tuple[str, ...]) -> None:
    """Give *app* its cookie, signed with the first of *keys*; all of them are accepted."""
    app.secret_key = keys[0]
    app.config["SECRET_KEY_FALLBACKS"] = list(keys[1:])
    app.config.update(
        SESSION_COOKIE_PATH="/admin",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=LIFE_SECONDS,
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    app.session_interface = _Cookie()


def address() -> str:
    """Return the address of whoever asks."""
    environ = request.environ
    return cast(str, environ.get(ADDRESS, environ.get("REMOTE_ADDR", "")))


def secret() -> str:
    """Return the secret id in this request's cookie, or ''."""
    found = session.get(SECRET)
    return found if isinstance(found, str) else ""


def current() -> Session | None:
    """Return the session of this request, and let it live on."""
    mine = secret()
    return services().operator_stores.sessions.see(mine) if mine else None


def enter(operator: str) -> None:
    """Sign *operator* in, with a new session and a new CSRF token: none that was known before counts."""
    leave()
    session[SECRET] = services().operator_stores.sessions.open(
        operator, address=address(), agent=request.headers.get("User-Agent", "")
    )


def leave() -> None:
    """End the session of this request and forget everything in its cookie."""
    mine = secret()
    session.clear()
    if mine:
        services().operator_stores.sessions.end_this(mine)
