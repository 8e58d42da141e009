"""
Hash and verify passwords of operators with Argon2.

One hash takes a tenth of a second and 64 MiB. Hashes run in gevent's thread pool, a few at a time, so
that the event loop neither waits for them nor runs out of memory.

Argon2id of `cryptography` cannot replace argon2-cffi: with more than one lane, two hashes at the same time
wait for threads of OpenSSL's pool that neither gets.
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
from app.operators.hashing_queue import OPERATOR, HashingQueue, Priority

MIN_CHARS, MAX_CHARS = 12, 1024
MIN_DISTINCT_CHARS = 5
MAX_CONCURRENT = 2  # per process
MAX_WAITING = 16  # unknown clients that may wait, for two seconds of hashing
QUEUE_TIMEOUT_SECONDS = 10.0

_hasher = PasswordHasher()
_queue = HashingQueue(MAX_CONCURRENT, MAX_WAITING)


def checked_password(password: str, name: str) -> str:
    """Return *password* if operator *name* may have it. Raises InvalidRequest."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise InvalidRequest(f"must have at least {MIN_CHARS} characters", param="password")
    if name.lower() in (password.lower(), password.lower()[::-1]):
        raise InvalidRequest("must not be the name", param="password")
    if len(set(password)) < MIN_DISTINCT_CHARS:
        raise InvalidRequest("is the same few letters again and again", param="password")
    return password


def hash_password(password: str) -> str:
    """Return the hash to store. Raises Overloaded if too many hashes are waiting."""
    return str(_run_queued(OPERATOR, _hasher.hash, password))


def verify_password(password_hash: str | None, password: str, priority: Priority = OPERATOR) -> bool:
    """
    Return whether *password_hash* is that of *password*; takes as long without a hash.

    Raises Overloaded.
    """
    checked_hash = password_hash or _unknown_hash()
    is_match = _run_queued(priority, _verify, checked_hash, password[:MAX_CHARS])
    return bool(is_match) and password_hash is not None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _unknown_hash() -> str:
    """Return a hash that no password matches, to spend the same time on an unknown name."""
    return hash_password(secrets.token_urlsafe(32))


def _run_queued(priority: Priority, function: Callable[..., Any], *arguments: Any) -> Any:
    with _queue.acquire(priority, QUEUE_TIMEOUT_SECONDS):
        return gevent.get_hub().threadpool.apply(function, arguments)
