"""
Roll-ups: the usage of each hour and each day, by API key, account and model.

They are written with every ledger entry (lua/requests.lua, `add_to_totals`); here they are read and removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from app.stores import keys

HOUR, DAY = "h", "d"
COMPLETE = "whole"  # first member of the starts, once they are complete
SCAN_COUNT = 2000  # fields read at a time, so that other commands need not wait long


class Figure(NamedTuple):
    """One number of a roll-up: how much of *name* (requests, input_tokens, cost, …) was used."""

    key: str
    account: str
    model: str
    name: str
    amount: int


class RollupRepository:
    """The roll-ups of every pool."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def starts(self, pool: str, span: str) -> list[int]:
        """
        Return the starts (Unix seconds) of the hours or days that have a roll-up, oldest first.

        Each start is stored with its roll-up. Those of older versions are found by one scan and then stored.
        """
        stored = self._client.zrange(keys.rollup_starts(pool, span), 0, -1)
        if stored[:1] != [COMPLETE]:
            stored = [COMPLETE, *self._complete_starts(pool, span)]
        return [int(start) for start in stored[1:]]

    def _complete_starts(self, pool: str, span: str) -> list[str]:
        prefix, index = keys.rollup(pool, span, 0).removesuffix("0"), keys.rollup_starts(pool, span)
        names = {key[len(prefix) :]: 0.0 for key in self._client.scan_iter(match=prefix + "*", count=1000)}
        self._client.zadd(index, {COMPLETE: -1} | {start: int(start) for start in names})
        starts: list[str] = self._client.zrange(index, 1, -1)
        return starts

    def read(self, pool: str, span: str, starts: Iterable[int], *, by_team: bool = False) -> Iterator[Figure]:
        """Yield every figure of the roll-ups that began at *starts*; *by_team*: `key` is the team."""
        name_of = keys.team_rollup if by_team else keys.rollup
        for start in starts:
            fields = self._client.hgetall(name_of(pool, span, start))
            for field, amount in fields.items():
                yield _figure(field, amount)

    def scan(self, pool: str, span: str, start: int, *, by_team: bool = False) -> list[Figure]:
        """Return every figure of one roll-up, read in parts; *by_team*: `key` is the team."""
        name_of = keys.team_rollup if by_team else keys.rollup
        key, cursor, fields = name_of(pool, span, start), 0, dict[str, str]()
        while True:
            cursor, page = self._client.hscan(key, cursor, count=SCAN_COUNT)
            fields.update(page)  # a scan may return a field twice
            if cursor == 0:
                return [_figure(field, amount) for field, amount in fields.items()]

    def remove(self, pool: str, span: str, start: int) -> None:
        """Remove the roll-up that began at *start*, with its summary."""
        of_teams = keys.team_rollup(pool, span, start)
        self._client.unlink(keys.rollup(pool, span, start), of_teams, keys.summary(pool, span, start))
        self._client.zrem(keys.rollup_starts(pool, span), start)


def _figure(field: str, amount: str) -> Figure:
    """Parse one field of a roll-up; the name of a model may contain the separator."""
    owner, _, name = field.rpartition("|")
    key, account, model = owner.split("|", 2)
    return Figure(key, account, model, name, int(amount))
