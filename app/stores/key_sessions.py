"""
Store the sessions of the holders of API keys.

A browser holds the session's secret; only its SHA-256 is stored. All sessions of a key end when the key is
rotated, disabled or removed. One session ends after `LIFE_SECONDS`, or when its holder signs out.
"""

from __future__ import annotations

import secrets

from app.stores import keys
from app.stores.records.api_keys import ApiKey
from app.stores.scripts import Scripts
from app.stores.secrets import digest_of

LIFE_SECONDS = 12 * 3600
MAX_SESSIONS = 20  # per API key; a new session ends the oldest


class KeySessionRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def open(self, key: ApiKey, presented: str) -> str | None:
        """
        Return the secret of a new session of *key*, whose holder presented its secret *presented*.

        Returns None if *presented* is not the current secret: a key that was rotated has a former one.
        """
        secret = secrets.token_urlsafe(32)
        opened = self._scripts.run(
            "open_key_session",
            key.pool,
            key.id,
            digest_of(presented),
            digest_of(secret),
            LIFE_SECONDS * 1000,
            MAX_SESSIONS,
        )
        return secret if opened else None

    def is_open(self, key: ApiKey, secret: str) -> bool:
        """Return whether the session with *secret* belongs to *key* and was open when the key was read."""
        ends_ms = self._scripts.client.zscore(keys.key_sessions(key.pool, key.id), digest_of(secret))
        return ends_ms is not None and float(ends_ms) > key.now * 1000

    def end(self, pool: str, key_id: str, secret: str) -> None:
        """End the session with *secret*, if it exists."""
        self._scripts.client.zrem(keys.key_sessions(pool, key_id), digest_of(secret))
