"""
Roll-ups: what was used in each hour and each day, by API key, account and model.

They are written with every ledger row (app/stores/lua/requests.lua, `tally`) and only read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from app.stores import keys

HOUR, DAY = "h", "d"
WHOLE = "whole"  # first among the noted beginnings, once none is missing


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

    They are noted as roll-ups begin; what began before that was so is looked for once.
    """
    noted = client.zrange(keys.rollup_starts(pool, span), 0, -1)
    if noted[:1] != [WHOLE]:
        noted = [WHOLE, *_note(client, pool, span)]
    return [int(start) for start in noted[1:]]


def _note(client: Any, pool: str, span: str) -> list[str]:
    prefix, index = keys.rollup(pool, span, 0).removesuffix("0"), keys.rollup_starts(pool, span)
    found = {key[len(prefix) :]: 0.0 for key in client.scan_iter(match=prefix + "*", count=1000)}
    client.zadd(index, {WHOLE: -1} | {start: int(start) for start in found})
    noted: list[str] = client.zrange(index, 1, -1)
    return noted


def read(client: Any, pool: str, span: str, began: Iterable[int]) -> Iterator[Figure]:
    """Yield every figure of the roll-ups that *began* then."""
    for start in began:
        fields = client.hgetall(keys.rollup(pool, span, start))
        for field, amount in fields.items():
            yield figure_of(field, amount)


def figure_of(field: str, amount: str) -> Figure:
    """Return what one field says; a model's name may have the separator in it."""
    who, _, name = field.rpartition("|")
    key, account, model = who.split("|", 2)
    return Figure(key, account, model, name, int(amount))
