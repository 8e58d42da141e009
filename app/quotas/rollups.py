"""
Roll-ups: what was used in each hour and each day, by API key, account and model.

They are written with every ledger row (app/stores/lua/requests.lua, `tally`) and only read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from app.stores import keys
from app.stores.client import store_errors

HOUR, DAY = "h", "d"


class Figure(NamedTuple):
    """One number of a roll-up: how much of *name* (requests, input_tokens, cost, …) was used."""

    key: str
    account: str
    model: str
    name: str
    amount: int


def starts(client: Any, pool: str, span: str) -> list[int]:
    """Return the beginnings (Unix seconds) of the hours or days that have a roll-up. Scans the store."""
    prefix = keys.rollup(pool, span, 0).removesuffix("0")
    with store_errors():
        return sorted(int(key[len(prefix) :]) for key in client.scan_iter(match=prefix + "*", count=1000))


def read(client: Any, pool: str, span: str, began: Iterable[int]) -> Iterator[Figure]:
    """Yield every figure of the roll-ups that *began* then."""
    for start in began:
        with store_errors():
            fields = client.hgetall(keys.rollup(pool, span, start))
        for field, amount in fields.items():
            yield figure_of(field, amount)


def figure_of(field: str, amount: str) -> Figure:
    """Return what one field says; a model's name may have the separator in it."""
    who, _, name = field.rpartition("|")
    key, account, model = who.split("|", 2)
    return Figure(key, account, model, name, int(amount))
