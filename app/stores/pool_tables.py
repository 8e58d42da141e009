"""
Tables that a process parses from the settings of a pool, such as its prices and its model routes.

Authentication returns the version of these texts with the API key, so a process reads them once per change,
and a request does not wait for them.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from app.stores.records.versions import NONE_SET

MAX_POOLS = 1024  # number of pools whose tables a process caches
Table = TypeVar("Table")


class PoolTables(Generic[Table]):
    """Tables by pool, cached in this process; a subclass reads them."""

    def __init__(self, unset: Table) -> None:
        """*unset* is the table of a pool that has never set a value."""
        self._unset = unset
        self._tables: dict[str, tuple[str, Table]] = {}

    def table(self, pool: str, version: str) -> Table:
        """Return the table of *pool* of *version* or newer; it is read once per change."""
        if version == NONE_SET:
            return self._unset
        known = self._tables.get(pool)
        if known is None or int(known[0]) < int(version):
            if len(self._tables) >= MAX_POOLS:
                self._tables.clear()
            known = self._tables[pool] = self._read(pool)
        return known[1]

    def current(self, pool: str) -> Table:
        """Read the current table of *pool* and return it."""
        return self._read(pool)[1]

    def _read(self, pool: str) -> tuple[str, Table]:
        """Read the stored version of *pool* and its table, and return both."""
        raise NotImplementedError
