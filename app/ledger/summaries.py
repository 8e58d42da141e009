"""
Summaries: the usage of a minute, an hour or a day by API key, by account, by model and in all.

A roll-up has a number for every key at every account with every model, too many to add up whenever a
chart is shown. So each is added up once it is over, and stored. A background job does that ahead of
time. Minutes are read from the ledger, whose entries are in the order in which requests ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import orjson

from app.ledger.attempts import attempt_figures
from app.ledger.verify import shares
from app.stores import rollups
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import EXTRA, FAILED, FIGURES, RESCUES, Row
from app.stores.rollups import Figure
from app.stores.summaries import MINUTE, SummaryRepository

HOUR, DAY = rollups.HOUR, rollups.DAY
SECONDS = {MINUTE: 60, HOUR: 3600}
SETTLE_SECONDS = 5  # after the end of a minute or an hour, until it is considered over
PAGE = 1000  # ledger entries read at a time
MAX_AT_ONCE = 200  # summaries that one call adds up; the background job makes the others


class Grouping(StrEnum):
    """What a summary is grouped by; the order is that of the parts of a summary."""

    ALL = "all"
    KEY = "key"
    ACCOUNT = "account"
    MODEL = "model"
    TEAM = "team"
    ENDPOINT = "endpoint"  # only in measurements: roll-ups do not have it


ROLLED = (Grouping.ALL, Grouping.KEY, Grouping.ACCOUNT, Grouping.MODEL, Grouping.TEAM)
SUMMARY_FIGURES = ("requests", "errors", *FIGURES, "attempts", FAILED, RESCUES)
_POSITIONS: dict[str, tuple[int, ...]] = {name: (index,) for index, name in enumerate(SUMMARY_FIGURES)}
_POSITIONS["requests"] += _POSITIONS["attempts"]
_POSITIONS[EXTRA] = _POSITIONS["attempts"]

Amounts = list[int]  # in the order of SUMMARY_FIGURES
Sums = dict[str, Amounts]  # id (or model; '' for all) -> amounts
Summary = dict[str, Sums]  # by grouping


class Summaries:
    """Reads summaries, and makes those that are missing."""

    def __init__(self, ledger: LedgerRepository, summaries: SummaryRepository) -> None:
        self._ledger = ledger
        self._summaries = summaries

    def read(
        self, pool: str, span: str, starts: Sequence[int], by: Grouping | str, *, over: int
    ) -> list[Sums | None]:
        """
        Return the sums of each span that began at *starts*, None where too many have to be added up first.

        Those that began before *over* (Unix seconds) are over: they are stored once added up.
        """
        stored = self._summaries.read(pool, span, starts, by)
        missing = [start for start, text in zip(starts, stored, strict=True) if not text]
        made = {
            start: self._make(pool, span, start, store=start < over)[by] for start in missing[-MAX_AT_ONCE:]
        }
        return [_parse(text) if text else made.get(start) for start, text in zip(starts, stored, strict=True)]

    def make(self, pool: str, span: str, starts: Sequence[int], max_made: int) -> int:
        """Make the first *max_made* missing summaries of *starts*, all over; return how many those were."""
        stored = self._summaries.read(pool, span, starts, Grouping.ALL)
        missing = [start for start, text in zip(starts, stored, strict=True) if not text][:max_made]
        for start in missing:
            self._make(pool, span, start, store=True)
        return len(missing)

    def _make(self, pool: str, span: str, start: int, *, store: bool) -> Summary:
        if span == MINUTE:
            rows = list(rows_between(self._ledger, pool, start, start + SECONDS[MINUTE]))
            figures = (figure for row in rows for figure in row_figures(row))
            of_teams = (figure for row in rows if row.get("team") for figure in _team_figures(row))
            summary = summarize(figures, of_teams)
            if store:
                self._summaries.put_minute(pool, start, _texts(summary))
            return summary
        token = self._summaries.begin(pool, span, start) if store else ""
        scan = self._ledger.rollups.scan
        summary = summarize(scan(pool, span, start), scan(pool, span, start, by_team=True))
        if store:
            self._summaries.put(pool, span, start, token, _texts(summary))
        return summary


def rows_between(ledger: LedgerRepository, pool: str, since: int, until: int) -> Iterator[Row]:
    """Yield the rows of the requests that ended from *since* on and before *until*, in Unix seconds."""
    oldest, newest = f"{since * 1000}", f"{until * 1000 - 1}"
    while True:
        entries = ledger.read_forwards(pool, PAGE, oldest=oldest, newest=newest)
        for entry in entries:
            yield orjson.loads(entry.row)
        if len(entries) < PAGE:
            return
        oldest = f"({entries[-1].id}"


def row_figures(row: Row) -> Iterator[Figure]:
    """Yield the figures of a ledger entry, as the roll-ups have them."""
    model = str(row.get("counted_as", row["model"]))
    for account, figures in shares(row):
        for name, amount in figures.items():
            if amount and name in SUMMARY_FIGURES:
                yield Figure(row["key"], account, model, name, amount)
    for account, figures in attempt_figures(row).items():
        for name, amount in figures.items():
            yield Figure(row["key"], account, model, name, amount)


def _team_figures(row: Row) -> Iterator[Figure]:
    """Yield the figures of a ledger entry, as the roll-ups by team have them."""
    model = str(row.get("counted_as", row["model"]))
    for account, figures in shares(row):
        for name, amount in figures.items():
            if amount and name in SUMMARY_FIGURES:
                yield Figure(row["team"], account, model, name, amount)


def _parse(text: str) -> Sums:
    """Parse a stored summary; one from before attempts were counted has one for each request."""
    sums: Sums = orjson.loads(text)
    for amounts in sums.values():
        if len(amounts) < len(SUMMARY_FIGURES):
            amounts += [amounts[0], 0, 0]
    return sums


def summarize(figures: Iterable[Figure], of_teams: Iterable[Figure] = ()) -> Summary:
    """Return the sums of *figures* by every grouping; the keys of *of_teams* are teams."""
    summary: Summary = {by: defaultdict(lambda: [0] * len(SUMMARY_FIGURES)) for by in ROLLED}
    total, by_key, by_account, by_model, by_team = (summary[by] for by in ROLLED)
    for key, account, model, name, amount in figures:
        for index in _POSITIONS.get(name, ()):
            total[""][index] += amount
            by_key[key][index] += amount
            by_account[account][index] += amount
            by_model[model][index] += amount
    for team, _, _, name, amount in of_teams:
        for index in _POSITIONS.get(name, ()):
            by_team[team][index] += amount
    return summary


def count_figures(amounts: Amounts, figures: Iterable[Figure]) -> None:
    """Add *figures* to *amounts*."""
    for figure in figures:
        for index in _POSITIONS.get(figure.name, ()):
            amounts[index] += figure.amount


def _texts(summary: Summary) -> dict[str, str]:
    return {str(by): orjson.dumps(sums).decode() for by, sums in summary.items()}
