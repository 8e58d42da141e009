"""Settlements in Redis: written exactly once, and looked up afterwards."""

from __future__ import annotations

from collections.abc import Iterable

from app.stores.scripts import Scripts

TOO_LATE = "late"  # reply of settle.lua to a settlement that is too old to know whether it was written


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
        """Return those of *request_ids* that the store does not know as settled."""
        lost: list[str] = self._scripts.run("unsettled", pool, *request_ids)
        return lost
