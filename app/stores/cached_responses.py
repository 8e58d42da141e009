"""
Stored responses, for API keys whose repeated requests may be answered from a cache. They are private: sealed.

Two bounds, per API key and per pool, prevent them from filling Redis.
"""

from __future__ import annotations

import orjson

from app.stores import keys
from app.stores.scripts import Scripts
from app.stores.secrets import UnreadableSecret, Vault

MAX_RESPONSES = 256  # per API key; the oldest is evicted
MAX_BYTES = 8 * 1024 * 1024  # per API key, sealed; room for at least five of the longest responses

# For all API keys of a pool: what a small Redis can spare. The oldest is evicted.
MAX_POOL_BYTES = 256 * 1024 * 1024


class CachedResponseRepository:
    """Sealed responses by API key and digest of the request; the oldest are evicted."""

    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._scripts = scripts
        self._vault = vault

    def get(self, pool: str, digest: str) -> str | None:
        """Return the text that `put` stored, or None when it expired. Raises StoreUnavailable."""
        sealed = self._scripts.client.get(keys.cached_response(pool, digest))
        try:
            return self._vault.open(sealed) if sealed else None
        except UnreadableSecret:
            return None

    def put(self, pool: str, key_id: str, digest: str, text: str, seconds: float) -> None:
        """
        Store *text* for *seconds*; evict the oldest responses of this key, or of the pool, to make room.

        Raises StoreUnavailable.
        """
        of = {"key": key_id, "digest": digest, "ttl_ms": max(1, int(seconds * 1000))}
        bounds = {
            "max_responses": MAX_RESPONSES,
            "max_bytes": MAX_BYTES,
            "max_pool_bytes": MAX_POOL_BYTES,
        }
        self._scripts.run("store_response", pool, orjson.dumps(of | bounds), self._vault.seal(text))
