"""
Summaries: the usage of a minute, an hour or a day by API key, by account, by model and in total.

A roll-up has a number for every key at every account with every model: too many to add up whenever a chart is
shown. So each roll-up is added up once, after its end, and stored. Recent summaries also have breakdowns: the
usage of one key, account, model or team by another of these. A background job computes them ahead of time.
Minutes are read from the ledger, whose entries are in the order in which requests ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import orjson

from app.ledger.attempts import attempt_figures
from app.ledger.json_members import parse_members
from app.ledger.known_totals import KnownTotals
from app.ledger.sums import (
    SUMMARY_FIGURES,
    Grouping,
    Only,
    Summary,
    Sums,
    add_up,
    break_down,
    complete,
    summarize,
)
from app.ledger.verify import shares
from app.stores import rollups
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import Row
from app.stores.rollups import Figure
from app.stores.summaries import MADE, MINUTE, SummaryRepository

HOUR, DAY = rollups.HOUR, rollups.DAY
SECONDS = {MINUTE: 60, HOUR: 3600}
BREAKDOWN_SECONDS = {MINUTE: 3900, HOUR: 2 * 86400, DAY: 100 * 86400}  # how far back breakdowns are stored
MADE_OF_MINUTE = "1"  # the mark of every minute; a past minute never changes
SETTLE_SECONDS = 5  # from the end of a minute or an hour until it counts as past
PAGE = 1000  # ledger entries read at a time
MAX_AT_ONCE = 200  # summaries that one call computes; the background job computes the others
MAX_BREAKDOWNS_AT_ONCE = 5


class Summaries:
    """Reads summaries, and makes those that are missing; adds up what is not over once."""

    def __init__(
        self, ledger: LedgerRepository, summaries: SummaryRepository, known_totals: KnownTotals
    ) -> None:
        self._ledger = ledger
        self._summaries = summaries
        self._known_totals = known_totals
        self._running: dict[tuple[str, str, int], Summary] = {}

    def read(
        self,
        pool: str,
        span: str,
        starts: Sequence[int],
        by: Grouping | str,
        ids: Collection[str] | None = None,
        *,
        over: int,
    ) -> list[Sums | None]:
        """
        Return the sums of each span that began at *starts*; None for those that cannot all be computed now.

        With *ids*, only theirs. Spans that began before *over* (Unix seconds) are past: their sums are stored
        once computed.
        """
        stored = self._summaries.read(pool, span, starts, by)
        missing = [start for start, text in zip(starts, stored, strict=True) if not text]
        made = {start: self._make(pool, span, start, over)[by] for start in missing[-MAX_AT_ONCE:]}
        if ids is not None:
            made = {start: {one: sums[one] for one in ids if one in sums} for start, sums in made.items()}
        return [
            _parse(text, ids) if text else made.get(start) for start, text in zip(starts, stored, strict=True)
        ]

    def read_total(
        self, pool: str, span: str, starts: Sequence[int], by: Grouping | str, *, over: int
    ) -> list[tuple[int, Sums | None]]:
        """
        Return the same as `read` as (start, sums), but those of all past spans in one, with the first start.

        The sums of past spans are not read again while they stay as they were.
        """
        past = [start for start in starts if start < over]
        others = [start for start in starts if start >= over]
        parts = [*zip(others, self.read(pool, span, others, by, over=over), strict=True)]
        if not past:
            return parts
        made = self._summaries.read(pool, span, past, MADE)
        origin = pool, span, by, *zip(past, made, strict=True)
        text = self._known_totals.find(origin)
        if text is not None:
            return [(past[0], _parse(text, None)), *parts]
        sums = self.read(pool, span, past, by, over=over)
        total = add_up(each for each in sums if each is not None)
        if None not in made:
            self._known_totals.put(origin, orjson.dumps(total).decode())
        unprepared = [(start, None) for start, each in zip(past, sums, strict=True) if each is None]
        return [(past[0], total), *unprepared, *parts]

    def read_breakdowns(
        self, pool: str, span: str, starts: Sequence[int], only: Only, by: str, *, over: int
    ) -> list[Sums | None]:
        """Return the sums of what *only* selects at each of *starts*, grouped by *by*; None as in `read`."""
        stored = self._summaries.read_breakdowns(pool, span, starts, only.field)
        missing = [start for start, text in zip(starts, stored, strict=True) if text is None and start < over]
        for start in missing[-(MAX_AT_ONCE if span == MINUTE else MAX_BREAKDOWNS_AT_ONCE) :]:
            self._make(pool, span, start, over)
        again = self._summaries.read_breakdowns(pool, span, missing, only.field)
        texts = dict(zip(starts, stored, strict=True)) | dict(zip(missing, again, strict=True))
        current = {start: break_down(*self._scan(pool, span, start)) for start in starts if start >= over}
        return [
            current[start].get(only.field, {}).get(by, {}) if start in current else _part_of(texts[start], by)
            for start in starts
        ]

    def make(self, pool: str, span: str, starts: Sequence[int], over: int, max_made: int) -> int:
        """
        Compute and store the first *max_made* missing summaries of *starts*; return their number.

        All began before *over*, Unix seconds.
        """
        stored = self._summaries.read(pool, span, starts, MADE)
        missing = [start for start, text in zip(starts, stored, strict=True) if not text][:max_made]
        for start in missing:
            self._make(pool, span, start, over)
        return len(missing)

    def _make(self, pool: str, span: str, start: int, over: int) -> Summary:
        """Return the summary of *start*; its breakdowns are stored if it began before *over*."""
        if start >= over:
            running = pool, span, start
            if running not in self._running:
                self._running[running] = summarize(*self._scan(pool, span, start))
            return self._running[running]
        is_minute = span == MINUTE
        token = MADE_OF_MINUTE if is_minute else self._summaries.begin(pool, span, start)
        figures, of_teams = self._scan(pool, span, start)
        summary = summarize(figures, of_teams)
        if start >= over - BREAKDOWN_SECONDS[span]:
            breakdowns = break_down(figures, of_teams)
            texts = {field: orjson.dumps(sums).decode() for field, sums in breakdowns.items()}
            self._summaries.put_breakdowns(pool, span, start, token, texts, BREAKDOWN_SECONDS[span])
        if is_minute:
            self._summaries.put_minute(pool, start, _texts(summary) | {MADE: token})
        else:
            self._summaries.put(pool, span, start, token, _texts(summary) | {MADE: token})
        return summary

    def _scan(self, pool: str, span: str, start: int) -> tuple[list[Figure], list[Figure]]:
        """Return the figures of a roll-up, or of the entries of a minute, by key and by team."""
        if span == MINUTE:
            rows = list(rows_between(self._ledger, pool, start, start + SECONDS[MINUTE]))
            of_teams = [figure for row in rows if row.get("team") for figure in _team_figures(row)]
            return [figure for row in rows for figure in row_figures(row)], of_teams
        scan = self._ledger.rollups.scan
        return scan(pool, span, start), scan(pool, span, start, by_team=True)


def start_of_running(span: str, now: int) -> int:
    """Return the start of the first minute or hour that is not past."""
    return (now - SETTLE_SECONDS) // SECONDS[span] * SECONDS[span]


def rows_between(ledger: LedgerRepository, pool: str, since: int, until: int) -> Iterator[Row]:
    """Yield the rows of the requests that ended from *since* to before *until*, in Unix seconds."""
    oldest, newest = f"{since * 1000}", f"{until * 1000 - 1}"
    while True:
        entries = ledger.read_forwards(pool, PAGE, oldest=oldest, newest=newest)
        for entry in entries:
            yield orjson.loads(entry.row)
        if len(entries) < PAGE:
            return
        oldest = f"({entries[-1].id}"


def row_figures(row: Row) -> Iterator[Figure]:
    """Yield the figures of a ledger entry in the form of the roll-ups."""
    model = str(row.get("counted_as", row["model"]))
    for account, figures in shares(row):
        for name, amount in figures.items():
            if amount and name in SUMMARY_FIGURES:
                yield Figure(row["key"], account, model, name, amount)
    for account, figures in attempt_figures(row).items():
        for name, amount in figures.items():
            yield Figure(row["key"], account, model, name, amount)


def _team_figures(row: Row) -> Iterator[Figure]:
    """Yield the figures of a ledger entry in the form of the roll-ups by team."""
    model = str(row.get("counted_as", row["model"]))
    for account, figures in shares(row):
        for name, amount in figures.items():
            if amount and name in SUMMARY_FIGURES:
                yield Figure(row["team"], account, model, name, amount)


def _parse(text: str, ids: Collection[str] | None) -> Sums:
    return complete(parse_members(text, ids))


def _part_of(text: str | None, by: str) -> Sums | None:
    """Return one part of stored breakdowns; None if these are missing."""
    if text is None:
        return None
    parts: Summary = orjson.loads(text)
    return complete(parts.get(by, {}))


def _texts(summary: Summary) -> dict[str, str]:
    return {str(by): orjson.dumps(sums).decode() for by, sums in summary.items()}
