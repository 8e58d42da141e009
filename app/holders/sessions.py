"""
The signed session cookie of a key's holder; it becomes invalid when its session ends in the store.

It contains the id of the key, the secret id of a session, the CSRF token and the notices of the next page;
never the key itself. Nothing is stored for anonymous clients.
"""

from __future__ import annotations

from flask import session

from app.admin.services import services
from app.admin.session_cookie import SessionCookie
from app.errors import InvalidApiKey, TeamDisabled
from app.holders import ROOT
from app.stores.key_sessions import LIFE_SECONDS
from app.stores.records.api_keys import ApiKey

COOKIE = SessionCookie("poolgate_key", "poolgate key holder", ROOT, "Strict", LIFE_SECONDS)
POOL, KEY, SECRET = "pool", "key", "sid"


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
