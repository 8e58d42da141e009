"""
Passwords of operators: Argon2, beside the event loop.

One hash takes a tenth of a second and 64 MiB. It is done in gevent's threads, a few at a time, so
that the requests of the gateway neither wait for it nor run out of memory.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cache
from typing import Any

import gevent
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import InvalidRequest
from app.operators.hashing_queue import OPERATOR, HashingQueue, Turn

LEAST, MOST = 12, 1024  # characters
AT_ONCE = 2  # per process
MAX_STRANGERS = 16  # that wait: two seconds of hashing
PATIENCE_SECONDS = 10.0

_hasher = PasswordHasher()
_places = HashingQueue(AT_ONCE, MAX_STRANGERS)


def checked_password(password: str, name: str) -> str:
    """Return *password* when operator *name* may have it. Raises InvalidRequest."""
    if not LEAST <= len(password) <= MOST:
        raise InvalidRequest(f"must have at least {LEAST} characters", param="password")
    if name.lower() in (password.lower(), password.lower()[::-1]):
        raise InvalidRequest("must not be the name", param="password")
    if len(set(password)) < 5:
        raise InvalidRequest("is the same few letters again and again", param="password")
    return password


def hashed(password: str) -> str:
    """Return what to keep of *password*. Raises Overloaded when too many are under way."""
    return str(_beside(OPERATOR, _hasher.hash, password))


def matches(kept: str | None, password: str, turn: Turn = OPERATOR) -> bool:
    """Tell whether *kept* is of *password*; takes as long when nothing is kept. Raises Overloaded."""
    return bool(_beside(turn, _verify, kept or _nobody(), password[:MOST])) and kept is not None


def _verify(kept: str, password: str) -> bool:
    try:
        return _hasher.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return hashed(secrets.token_urlsafe(32))


def _beside(turn: Turn, function: Callable[..., Any], *arguments: Any) -> Any:
    with _places.take(turn, PATIENCE_SECONDS):
        return gevent.get_hub().threadpool.apply(function, arguments)
