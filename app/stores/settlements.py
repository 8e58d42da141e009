"""Settlements in Redis: written exactly once, and looked up afterwards."""

from __future__ import annotations

from collections.abc import Iterable

from app.stores.scripts import Scripts

TOO_LATE = "late"  # settle.lua's reply for a settlement that is a day old and not known any more


class SettlementRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def settle(self, pool: str, settlement: bytes) -> bool:
        """
        Write *settlement*, the JSON that settle.lua documents; a repeated one is ignored.

        Return False where it came too late to be written. Raises StoreUnavailable, StoreRefused.
        """
        return bool(self._scripts.run("settle", pool, settlement) != TOO_LATE)

    def find_lost(self, pool: str, request_ids: Iterable[str]) -> list[str]:
        """Return which of *request_ids* the store does not have as settled."""
        lost: list[str] = self._scripts.run("unsettled", pool, *request_ids)
        return lost
