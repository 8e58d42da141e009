"""`poolgate top`: the load of a pool now, by API key, account and model."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import click

from app.cli.clock import current_zone, utc_option
from app.cli.command import Command, example
from app.cli.listing import fitted, terminal_width
from app.cli.options import in_pool, with_store
from app.cli.output import Figure, amount, show_json, store_failure
from app.errors import StoreUnavailable
from app.formatting import count, counted, moment
from app.ledger.caller_figures import received_by_callers
from app.presentation.accounts import shown_state, state_label
from app.presentation.names import Names
from app.presentation.usage_report import is_of_callers
from app.stores.health import HealthRepository
from app.stores.records.ledger import LedgerEntry
from app.wiring import Services

SPAN_SECONDS = 60
REFRESH_SECONDS = 2.0
MAX_ENTRIES = 5000  # ledger entries read; on a busier pool these are a sample of the minute
MAX_ROWS = 10  # per table
HEADS = ("REQUESTS", "FAILED", "TOKENS IN/S", "TOKENS OUT/S")
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"

GROUPS = {"key": attrgetter("key_id"), "account": attrgetter("account_id"), "model": attrgetter("model")}


@dataclass(slots=True)
class Load:
    """Totals of the requests of one key, account or model that ended in the span."""

    requests: int = 0
    errors: int = 0
    fallbacks: int = 0
    of_callers: bool = (
        True  # not of an account or a model, whose failures count although another model answered
    )
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, entry: LedgerEntry) -> None:
        self.errors += entry.errors
        if not entry.is_correction:
            self.requests += 1
            self.fallbacks += bool(entry.row.get("fallbacks"))
        self.input_tokens += int(entry.row.get("input_tokens") or 0)
        self.output_tokens += int(entry.row.get("output_tokens") or 0)

    @property
    def failed(self) -> int:
        return self._received["errors"]

    @property
    def sent(self) -> int:
        return self._received["requests"]

    @property
    def _received(self) -> dict[str, int]:
        figures = {"requests": self.requests, "errors": self.errors, "fallbacks": self.fallbacks}
        return received_by_callers(figures) if self.of_callers else figures

    def cells(self) -> tuple[object, ...]:
        rates = (self.input_tokens / SPAN_SECONDS, self.output_tokens / SPAN_SECONDS)
        return amount(self.sent), amount(self.failed), *(Figure(f"{rate:,.1f}", rate) for rate in rates)

    def public(self) -> dict[str, Any]:
        return {
            "requests": self.sent,
            "failed": self.failed,
            "input_tokens_per_second": self.input_tokens / SPAN_SECONDS,
            "output_tokens_per_second": self.output_tokens / SPAN_SECONDS,
        }


class AccountLoad(NamedTuple):
    """The open requests of an account, how many it may have, and its state: the stored one, and as shown."""

    open_requests: int
    cap: int
    state: str
    shown_state: str


@dataclass(frozen=True, slots=True)
class LoadSnapshot:
    """A pool at `now`, Unix seconds: its open requests, and the loads of the last minute by name."""

    pool: str
    now: float
    open_requests: int
    waiting_requests: int
    total: Load
    loads: Mapping[str, Mapping[str, Load]]  # by `key`, `account` and `model`, the busiest first
    in_flight: Mapping[str, AccountLoad]  # by account name
    refused: Counter[str]  # by code


@click.command("top", cls=Command, epilog=example("poolgate top", "poolgate top --once"))
@click.option("--once", is_flag=True, help="Print the load once; so does a pipe.")
@utc_option
@in_pool
@with_store
def top(services: Services, as_json: bool, pool: str, once: bool) -> None:
    """
    Show the load of a pool, updated every two seconds until Ctrl-C.

    Requests are those that ended in the last minute; open requests hold an account, or wait for one.
    """
    services.pools.check(pool)
    if as_json:
        show_json(_public(read_snapshot(services, pool)))
    elif once or terminal_width() is None:
        click.echo("\n".join(lines(read_snapshot(services, pool))))
    else:
        _refresh(services, pool)


def _refresh(services: Services, pool: str) -> None:
    click.clear()
    while True:
        try:
            shown = lines(read_snapshot(services, pool))
        except StoreUnavailable as error:
            shown = iter([store_failure(error)])
        height = max(2, shutil.get_terminal_size().lines - 1)
        text = f"{CLEAR_LINE}\n".join(list(shown)[:height])
        click.echo(f"{HOME}{text}{CLEAR_LINE}{CLEAR_BELOW}", nl=False)
        sys.stdout.flush()
        time.sleep(REFRESH_SECONDS)


def read_snapshot(services: Services, pool: str) -> LoadSnapshot:
    """Return the load of *pool* now. Eight round trips."""
    health, names = HealthRepository(services.scripts), Names.read(pool, services.api_keys, services.accounts)
    now = health.now()
    since_ms = int((now - SPAN_SECONDS) * 1000)
    stored = services.ledger.entries.read_backwards(pool, MAX_ENTRIES, oldest=str(since_ms))
    parsed = map(LedgerEntry.parse, stored)
    entries = [entry for entry in parsed if entry.ended_at >= now - SPAN_SECONDS]  # may be recorded later
    total, (open_requests, waiting) = Load(), health.count_requests(pool)
    for entry in entries:
        total.add(entry)
    loads = {noun: _loads(entries, noun, names) for noun in GROUPS}
    in_flight = {
        one.name: AccountLoad(one.in_flight, one.cap, *map(state_label, (one.state, shown_state(one))))
        for one in services.accounts.snapshot(pool)
    }
    refused = services.ledger.refusals.latest_counts(pool, since_ms)
    return LoadSnapshot(pool, now, open_requests, waiting, total, loads, in_flight, refused)


def _loads(entries: Iterable[LedgerEntry], noun: str, names: Names) -> dict[str, Load]:
    loads: dict[str, Load] = defaultdict(lambda: Load(of_callers=is_of_callers(noun)))
    for entry in entries:
        loads[GROUPS[noun](entry)].add(entry)
    busiest = sorted(loads.items(), key=lambda item: (-item[1].requests, item[0]))
    named = noun in ("key", "account")
    return {names.label(noun, one) if named else one: load for one, load in busiest}


def lines(snapshot: LoadSnapshot) -> Iterator[str]:
    """Yield the lines that show *snapshot*."""
    total, width = snapshot.total, terminal_width()
    at = moment(snapshot.now, current_zone())
    waiting = f"{count(snapshot.open_requests)} open, {count(snapshot.waiting_requests)} waiting"
    yield f"Pool {snapshot.pool}, {at}: {waiting}"
    ended = f"{counted(total.sent, 'request')}, {count(total.failed)} failed"
    rates = (total.input_tokens / SPAN_SECONDS, total.output_tokens / SPAN_SECONDS)
    tokens = f"{rates[0]:,.1f} tokens/s in, {rates[1]:,.1f} out"
    refused = (
        ", ".join(f"{count(number)} {code}" for code, number in snapshot.refused.most_common()) or "none"
    )
    yield f"Last minute: {ended}, {tokens}; refused: {refused}"
    for noun, loads in snapshot.loads.items():
        heads, rows = _rows(noun, loads, snapshot.in_flight)
        if rows:
            yield ""
            yield from fitted(heads, rows[:MAX_ROWS], [], width).splitlines()
        if len(rows) > MAX_ROWS:
            yield f"and {len(rows) - MAX_ROWS} more"


def _rows(
    noun: str, loads: Mapping[str, Load], in_flight: Mapping[str, AccountLoad]
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Return the heads and rows of one table; that of accounts includes those without requests."""
    if noun != "account":
        return (noun.upper(), *HEADS), [(name, *load.cells()) for name, load in loads.items()]
    rows: list[tuple[object, ...]] = []
    for name, (open_requests, cap, _, state) in in_flight.items():
        rows.append((name, *loads.get(name, Load()).cells(), amount(open_requests), amount(cap), state))
    rows.sort(key=lambda row: -loads.get(str(row[0]), Load()).requests)
    return (noun.upper(), *HEADS, "OPEN", "CAP", "STATE"), rows


def _public(snapshot: LoadSnapshot) -> dict[str, Any]:
    loads = {
        noun: [{noun: name, **load.public()} for name, load in by_name.items()]
        for noun, by_name in snapshot.loads.items()
    }
    accounts = [
        {"account": name, "in_flight": one.open_requests, "cap": one.cap, "state": one.state}
        for name, one in snapshot.in_flight.items()
    ]
    return {
        "pool": snapshot.pool,
        "at": snapshot.now,
        "seconds": SPAN_SECONDS,
        "open_requests": snapshot.open_requests,
        "waiting_requests": snapshot.waiting_requests,
        "total": snapshot.total.public(),
        "by": loads,
        "accounts": accounts,
        "refused": dict(snapshot.refused),
    }
