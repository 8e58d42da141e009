"""
Summaries: what a minute, an hour or a day that is over came to, by key, by account, by model, in all.

A roll-up has a number for every key at every account with every model, far too many to be added up
whenever somebody looks. So each is added up once it is over, and kept; a row that comes later undoes
that (app/stores/lua/requests.lua, `add_to_rollup`). A background job does it before anybody asks. Minutes are
read from the ledger, in which rows stand in the order in which they ended, and stay for two hours.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from app.ledger import verify
from app.ledger.attempts import EXTRA, FAILED, RESCUES, attempt_figures
from app.stores import keys, rollups
from app.stores.client import store_errors
from app.stores.scripts import Scripts

MINUTE, HOUR, DAY = "m", rollups.HOUR, rollups.DAY
SECONDS = {MINUTE: 60, HOUR: 3600}
MINUTES_KEPT_SECONDS = 7200
SETTLED_SECONDS = 5  # after a minute's end, until it is taken to be over
FIELDS_AT_ONCE = 2000  # of a roll-up, so that nobody else waits long for the store
ROWS_AT_ONCE = 1000
ALL = "all"
BY = (ALL, "key", "account", "model")
ATTEMPTS = ("attempts", FAILED, RESCUES)
FIGURES = ("requests", "errors", *verify.FIGURES, *ATTEMPTS)
_PLACES: dict[str, tuple[int, ...]] = {name: (place,) for place, name in enumerate(FIGURES)}
_PLACES["requests"] += _PLACES["attempts"]
_PLACES[EXTRA] = _PLACES["attempts"]

Amounts = list[int]  # in the order of FIGURES
Sums = dict[str, Amounts]  # id (or model; '' for all) -> amounts
Summary = dict[str, Sums]  # by each of BY


class SummaryRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def read(self, pool: str, span: str, starts: Sequence[int], by: str, *, over: int) -> list[Sums]:
        """
        Return what each span that began at *starts* comes to, *by* one of BY.

        Those that began before *over* (Unix seconds) are over: they are kept once added up.
        """
        kept = self._kept(pool, span, starts, by)
        return [
            _read(text) if text else self._made(pool, span, start, keep=start < over)[by]
            for start, text in zip(starts, kept, strict=True)
        ]

    def make(self, pool: str, span: str, starts: Sequence[int]) -> int:
        """Make the summaries of *starts*, all over, that are missing; return how many those were."""
        missing = [
            start for start, text in zip(starts, self._kept(pool, span, starts, ALL), strict=True) if not text
        ]
        for start in missing:
            self._made(pool, span, start, keep=True)
        return len(missing)

    def _kept(self, pool: str, span: str, starts: Iterable[int], by: str) -> list[str | None]:
        with store_errors():
            pipeline = self._scripts.client.pipeline(transaction=False)
            for start in starts:
                pipeline.hget(keys.summary(pool, span, start), by)
            kept: list[str | None] = pipeline.execute()
        return kept

    def _made(self, pool: str, span: str, start: int, *, keep: bool) -> Summary:
        if span == MINUTE:
            summary = summed(self._rows(pool, start))
            if keep:
                self._keep_minute(pool, start, summary)
            return summary
        token = secrets.token_hex(8)
        if keep:
            with store_errors():
                self._scripts.client.hset(keys.summary(pool, span, start), "begun", token)
        summary = summed(self._figures(pool, span, start))
        if keep:
            self._scripts.run("store_summary", pool, span, start, token, orjson.dumps(_texts(summary)))
        return summary

    def _keep_minute(self, pool: str, start: int, summary: Summary) -> None:
        key = keys.summary(pool, MINUTE, start)
        with store_errors():
            pipeline = self._scripts.client.pipeline(transaction=True)
            pipeline.hset(key, mapping=_texts(summary))
            pipeline.expire(key, MINUTES_KEPT_SECONDS)
            pipeline.execute()

    def _figures(self, pool: str, span: str, start: int) -> Iterator[rollups.Figure]:
        key, cursor, fields = keys.rollup(pool, span, start), 0, {}
        while True:
            with store_errors():
                cursor, page = self._scripts.client.hscan(key, cursor, count=FIELDS_AT_ONCE)
            fields.update(page)  # a scan may tell a field twice
            if cursor == 0:
                return (rollups.figure_of(field, amount) for field, amount in fields.items())

    def _rows(self, pool: str, start: int) -> Iterator[rollups.Figure]:
        after, end = f"{start * 1000}", f"{start * 1000 + 59_999}"
        while True:
            with store_errors():
                entries = self._scripts.client.xrange(keys.ledger(pool), after, end, count=ROWS_AT_ONCE)
            for _, fields in entries:
                yield from _figures_of(orjson.loads(fields["row"]))
            if len(entries) < ROWS_AT_ONCE:
                return
            after = f"({entries[-1][0]}"


def _figures_of(row: dict[str, Any]) -> Iterator[rollups.Figure]:
    model = row.get("counted_as", row["model"])
    for account, figures in verify.shares(row):
        for name, amount in figures.items():
            if amount and name in FIGURES:
                yield rollups.Figure(row["key"], account, model, name, amount)
    for account, figures in attempt_figures(row).items():
        for name, amount in figures.items():
            yield rollups.Figure(row["key"], account, model, name, amount)


def _read(text: str) -> Sums:
    """Read a stored summary; one from before attempts were counted has one for each request."""
    sums: Sums = orjson.loads(text)
    for amounts in sums.values():
        if len(amounts) < len(FIGURES):
            amounts += [amounts[0], 0, 0]
    return sums


def summed(figures: Iterable[rollups.Figure]) -> Summary:
    summary: Summary = {by: defaultdict(lambda: [0] * len(FIGURES)) for by in BY}
    of_all, by_key, by_account, by_model = (summary[by] for by in BY)
    for key, account, model, name, amount in figures:
        for place in _PLACES.get(name, ()):
            of_all[""][place] += amount
            by_key[key][place] += amount
            by_account[account][place] += amount
            by_model[model][place] += amount
    return summary


def _texts(summary: Summary) -> dict[str, str]:
    return {by: orjson.dumps(sums).decode() for by, sums in summary.items()}
