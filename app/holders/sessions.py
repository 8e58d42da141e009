"""
The signed session cookie of a key's holder; it becomes invalid when its session ends in the store.

It contains the id of the key, the secret id of a session, the CSRF token and the notices of the next page;
never the key itself. Nothing is stored for anonymous clients.
"""

from __future__ import annotations

import hashlib

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface

from app.admin.services import services
from app.errors import InvalidApiKey, TeamDisabled
from app.stores.key_sessions import LIFE_SECONDS
from app.stores.records.api_keys import ApiKey

COOKIE, SECURE_COOKIE = "poolgate_key", "__Secure-poolgate_key"
POOL, KEY, SECRET = "pool", "key", "sid"


class _Cookie(SecureCookieSessionInterface):
    salt = "poolgate key holder"
    digest_method = staticmethod(hashlib.sha256)

    def get_cookie_name(self, app: Flask) -> str:
        """
        Return the name of the cookie; browsers accept `__Secure-…` only over https, so http cannot set it.
        """
        return SECURE_COOKIE if request.is_secure else COOKIE

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def prepare(app: Flask, keys: tuple[str, ...], path: str) -> None:
    """Set up the cookie of *app* for *path*, signed with the first of *keys*; all of them are accepted."""
    app.secret_key = keys[0]
    app.config["SECRET_KEY_FALLBACKS"] = list(keys[1:])
    app.config.update(
        SESSION_COOKIE_PATH=path,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        PERMANENT_SESSION_LIFETIME=LIFE_SECONDS,
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    app.session_interface = _Cookie()


def sign_in(key: ApiKey, presented: str) -> bool:
    """Open a session of *key*, whose secret is *presented*; return False if that was rotated meanwhile."""
    secret = services().key_sessions.open(key, presented)
    if secret is None:
        return False
    sign_out()
    session.update({POOL: key.pool, KEY: key.id, SECRET: secret})
    return True


def current() -> ApiKey | None:
    """Return the key of this request's session, as it is now; None if it has ended, or the key is refused."""
    pool, key_id, secret = (session.get(name) for name in (POOL, KEY, SECRET))
    if not (pool and key_id and secret):
        return None
    current_services = services()
    try:
        key = current_services.api_keys.authorize(pool, key_id)
    except (InvalidApiKey, TeamDisabled):  # the key is disabled, expired or removed
        sign_out()
        return None
    return key if current_services.key_sessions.is_open(key, secret) else None


def sign_out() -> None:
    """End the session of this request and clear its cookie."""
    pool, key_id, secret = (session.get(name) for name in (POOL, KEY, SECRET))
    session.clear()
    if pool and key_id and secret:
        services().key_sessions.end(pool, key_id, secret)
