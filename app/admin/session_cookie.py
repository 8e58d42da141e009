"""The signed cookie of an application whose sessions are in the store."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """`name` over http; `purpose` separates its signatures from those of other cookies with the same keys."""

    name: str
    purpose: str
    path: str
    same_site: Literal["Lax", "Strict"]
    life_seconds: int

    def prepare(self, app: Flask, keys: tuple[str, ...]) -> None:
        """Set up the cookie of *app*, signed with the first of *keys*; all of them are accepted."""
        app.secret_key = keys[0]
        app.config["SECRET_KEY_FALLBACKS"] = list(keys[1:])
        app.config.update(
            SESSION_COOKIE_NAME=self.name,
            SESSION_COOKIE_PATH=self.path,
            SESSION_COOKIE_HTTPONLY=True,
            SESSION_COOKIE_SAMESITE=self.same_site,
            PERMANENT_SESSION_LIFETIME=self.life_seconds,
            SESSION_REFRESH_EACH_REQUEST=False,
        )
        app.session_interface = _SignedCookie(self.purpose)


class _SignedCookie(SecureCookieSessionInterface):
    digest_method = staticmethod(hashlib.sha256)

    def __init__(self, salt: str) -> None:
        self.salt = salt

    def get_cookie_name(self, app: Flask) -> str:
        """Browsers accept `__Secure-…` only over https, so it cannot be planted over http."""
        name = super().get_cookie_name(app)
        return f"__Secure-{name}" if request.is_secure else name

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure
