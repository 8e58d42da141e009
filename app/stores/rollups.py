"""
Roll-ups: what was used in each hour and each day, by API key, account and model.

Every settlement adds to them (app/stores/lua/requests.lua, `add_to_totals`); this module reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from app.stores import keys

HOUR, DAY = "h", "d"
COMPLETE = "whole"  # first member of the index once no start is missing


class Figure(NamedTuple):
    """One number of a roll-up: how much of *name* (requests, input_tokens, cost, …) was used."""

    key: str
    account: str
    model: str
    name: str
    amount: int


def starts(client: Any, pool: str, span: str) -> list[int]:
    """
    Return the beginnings (Unix seconds) of the hours or days that have a roll-up.

    An index lists them; roll-ups that are older than the index are searched for once.
    """
    indexed = client.zrange(keys.rollup_starts(pool, span), 0, -1)
    if indexed[:1] != [COMPLETE]:
        indexed = [COMPLETE, *_index_all(client, pool, span)]
    return [int(start) for start in indexed[1:]]


def _index_all(client: Any, pool: str, span: str) -> list[str]:
    prefix, index = keys.rollup(pool, span, 0).removesuffix("0"), keys.rollup_starts(pool, span)
    starts = {key[len(prefix) :]: 0.0 for key in client.scan_iter(match=prefix + "*", count=1000)}
    client.zadd(index, {COMPLETE: -1} | {start: int(start) for start in starts})
    indexed: list[str] = client.zrange(index, 1, -1)
    return indexed


def read(client: Any, pool: str, span: str, began: Iterable[int]) -> Iterator[Figure]:
    """Yield every figure of the roll-ups that *began* then."""
    for start in began:
        fields = client.hgetall(keys.rollup(pool, span, start))
        for field, amount in fields.items():
            yield figure_of(field, amount)


def figure_of(field: str, amount: str) -> Figure:
    """Return the figure of one field; the name of a model may contain the separator."""
    names, _, name = field.rpartition("|")
    key, account, model = names.split("|", 2)
    return Figure(key, account, model, name, int(amount))
