"""
Answers stored for API keys that may be given them again: what they hold is private, so they are sealed.

What one key has stored is bounded, and what all keys of a pool have, because Redis must never be
filled by them.
"""

from __future__ import annotations

import orjson

from app.stores import keys
from app.stores.scripts import Scripts
from app.stores.secrets import UnreadableSecret, Vault

MAX_ANSWERS = 256  # of one key; the oldest is evicted
MAX_BYTES = 8 * 1024 * 1024  # of one key, sealed: at least five of the longest that are stored

MAX_POOL_BYTES = (
    256 * 1024 * 1024
)  # of all keys of a pool: what a small Redis can spare; the oldest is evicted


class AnswerStore:
    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._scripts = scripts
        self._vault = vault

    def get(self, pool: str, digest: str) -> str | None:
        """Return what `put` kept, if it is still there. Raises StoreUnavailable."""
        sealed = self._scripts.client.get(keys.answer(pool, digest))
        try:
            return self._vault.open(sealed) if sealed else None
        except UnreadableSecret:
            return None

    def put(self, pool: str, key_id: str, digest: str, text: str, seconds: float) -> None:
        """
        Store *text* for that long; the oldest answers of this key, or of the pool, make room for it.

        Raises StoreUnavailable.
        """
        of = {"key": key_id, "digest": digest, "ttl_ms": max(1, int(seconds * 1000))}
        bounds = {
            "max_answers": MAX_ANSWERS,
            "max_bytes": MAX_BYTES,
            "max_pool_bytes": MAX_POOL_BYTES,
        }
        self._scripts.run("store_answer", pool, orjson.dumps(of | bounds), self._vault.seal(text))
