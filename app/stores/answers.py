"""Answers kept for callers who may ask the same again: what they hold is private, so they are sealed."""

from __future__ import annotations

from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts
from app.stores.secrets import UnreadableSecret, Vault


class AnswerStore:
    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._scripts = scripts
        self._vault = vault

    def get(self, pool: str, digest: str) -> str | None:
        """Return what `put` kept, if it is still there. Raises StoreUnavailable."""
        with store_errors():
            sealed = self._scripts.client.get(keys.answer(pool, digest))
        try:
            return self._vault.open(sealed) if sealed else None
        except UnreadableSecret:
            return None

    def put(self, pool: str, digest: str, text: str, seconds: float) -> None:
        """Keep *text* for so long. Raises StoreUnavailable."""
        with store_errors():
            self._scripts.client.set(
                keys.answer(pool, digest), self._vault.seal(text), px=max(1, int(seconds * 1000))
            )
