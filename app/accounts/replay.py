"""
Replay traffic on a virtual clock: which accounts a policy would have chosen, and the result.

It runs the scripts that serve requests, with a virtual clock, so a replay selects accounts as the gateway
does. All accounts start in the same state, nothing fails, and a request takes its recorded time. An account
may have a usage window that resets at fixed times, and is reported as an upstream reports it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any

import orjson

from app.accounts.kinds import SCRIPT_KINDS
from app.stores.records.accounts import AccountOutcome, AccountState
from app.stores.records.ledger import UsageSource
from app.stores.virtual_pool import VirtualPool
from schemas.bounds import LATEST_AT, MAX_TEXT_CHARS, MAX_TOKENS

POOL = "replay"
KEY = "k"
STICKY_MS = 1_800_000
LATEST_MS = LATEST_AT * 1000
END, RESET, BEGIN = range(3)  # the order of events in the same millisecond

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    at_ms: int
    end_ms: int
    model: str = "m"
    tokens: int = 0
    affinity: str = ""
    account: str = ""  # id of the account that served it, if recorded


@dataclass(frozen=True, slots=True)
class Window:
    """A usage window: tokens until each reset; the first reset is *first_ms* after the replay begins."""

    tokens: int
    length_ms: int
    first_ms: int


@dataclass(frozen=True, slots=True)
class Member:
    """An account that takes part in a replay, without its credential."""

    id: str
    name: str
    kind: str = "any"
    offer: str = "cr:any:any"
    models: tuple[str, ...] = ()
    weight: int = 1
    cap: int = 100
    group: int = 0
    window: Window | None = None


@dataclass(slots=True)
class ReplayResult:
    policy: str
    chosen: list[str] = field(default_factory=list)  # account id of each request in order; "": it was refused
    turns: int = 0  # requests that continue a conversation
    same_account_turns: int = 0  # such requests that the same account served
    lapsed_tokens: int = 0  # tokens left in windows at their resets
    offered_tokens: int = 0  # tokens that those windows had offered

    @property
    def refused(self) -> int:
        return self.chosen.count("")

    def spread(self) -> dict[str, float]:
        """Return each account's share of the served requests, by id."""
        served = Counter(filter(None, self.chosen))
        return {account: count / served.total() for account, count in served.items()}


class Replay:
    """One run of one policy, in an empty pool on a separate Redis server."""

    def __init__(self, client: Any, members: Sequence[Member], policy: str) -> None:
        self._pool = VirtualPool(client, POOL, SCRIPT_KINDS)
        self._members = members
        self._windows = {member.id: member.window for member in members if member.window}
        self._used = dict.fromkeys(self._windows, 0)
        self._resets_at: dict[str, int] = {}
        self._home: dict[str, str] = {}
        self._outcome = ReplayResult(policy)

    def run(
        self, requests: Sequence[Request], progress: Callable[[int], None] = lambda _: None
    ) -> ReplayResult:
        """
        Replay *requests*, in order of time, and return the outcome.

        *progress* is called with 1 for each request that begins.
        """
        began = requests[0].at_ms
        self._set_up(began)
        due: list[tuple[int, int, int | str]] = [(one.at_ms, BEGIN, n) for n, one in enumerate(requests)]
        due += [(began + window.first_ms, RESET, account) for account, window in self._windows.items()]
        heapify(due)
        last = requests[-1].at_ms
        while due and due[0][0] <= last:
            now, what, which = heappop(due)
            self._pool.set_clock(now)
            if isinstance(which, str):
                heappush(due, (self._reset(which, now), RESET, which))
            elif what == END:
                self._end(which, requests[which], now)
            else:
                progress(1)
                if self._begin(which, requests[which]):
                    heappush(due, (max(now, requests[which].end_ms), END, which))
        return self._outcome

    def _set_up(self, now: int) -> None:
        self._pool.set_up(self._outcome.policy, KEY, now)
        for member in self._members:
            models = orjson.dumps(member.models).decode()
            record: Json = {"id": member.id, "name": member.name, "kind": member.kind, "offer": member.offer}
            record |= {"weight": member.weight, "cap": member.cap, "group": member.group, "models": models}
            self._pool.put_account(record, member.models)
        for account, window in self._windows.items():
            self._report_unused(account, now + window.first_ms)

    def _begin(self, number: int, request: Request) -> bool:
        arguments: Json = {
            "id": str(number),
            "key": KEY,
            "model": request.model,
            "endpoint": "",
            "wire": "",
            "pin": "",
        }
        arguments |= {"demo": True, "affinity": request.affinity, "sticky_ms": STICKY_MS, "calendar": {}}
        arguments |= {"ttl_ms": request.end_ms - request.at_ms + 1, "bounds": {}, "estimates": {}}
        account = self._pool.admit(arguments)
        self._outcome.chosen.append(account)
        if account and request.affinity:
            if home := self._home.get(request.affinity):
                self._outcome.turns += 1
                self._outcome.same_account_turns += home == account
            self._home[request.affinity] = account
        return bool(account)

    def _end(self, number: int, request: Request, now: int) -> None:
        account = self._outcome.chosen[number]
        row: Json = {"id": str(number), "at_ms": request.at_ms, "key": KEY, "account": account}
        row |= {"model": request.model, "endpoint": "", "status": 200, "source": UsageSource.UPSTREAM}
        mark = self._mark(account, request.tokens, now)
        self._pool.settle({"id": str(number), "mark": mark, "row": row})

    def _mark(self, account: str, tokens: int, now: int) -> AccountOutcome:
        window = self._windows.get(account)
        if window is None:
            return {"ok": True}
        self._used[account] = min(window.tokens, self._used[account] + tokens)
        reset = self._resets_at[account]
        windows: AccountOutcome = {"windows": [[100 * self._used[account] / window.tokens, reset]]}
        if self._used[account] < window.tokens:
            return {"ok": True, **windows}
        return {
            "state": AccountState.WINDOW_SPENT,
            "reason": "usage_limit_reached",
            "wait_ms": reset - now,
            "retest_wait_ms": reset - now,
            **windows,
        }

    def _reset(self, account: str, now: int) -> int:
        """Reset the window of *account*; return the time of its next reset."""
        window = self._windows[account]
        self._outcome.lapsed_tokens += window.tokens - self._used[account]
        self._outcome.offered_tokens += window.tokens
        self._used[account] = 0
        self._report_unused(account, now + window.length_ms)
        return now + window.length_ms

    def _report_unused(self, account: str, reset_ms: int) -> None:
        """Report an unused window, as the usage endpoint does."""
        self._resets_at[account] = reset_ms
        arguments = {"account": account, "room": True, "mark": {"ok": True, "windows": [[0, reset_ms]]}}
        self._pool.observe(arguments)


def _bounded(value: Any, maximum: int) -> int:
    number = int(value)
    if not 0 <= number <= maximum:
        raise ValueError("a number out of range")
    return number


def _short(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        raise ValueError("a text of another form")
    return value


def requests_from_ledger(rows: Iterator[Mapping[str, Any]]) -> list[Request]:
    """
    Return the requests of exported ledger *rows*, in order of time; corrections are none.

    Raises ValueError, KeyError or TypeError for data that is not a row.
    """
    requests = [
        Request(
            at_ms=_bounded(row["at_ms"], LATEST_MS),
            end_ms=_bounded(row["settled_ms"], LATEST_MS),
            model=_short(row["model"]),
            tokens=sum(
                _bounded(row.get(name) or 0, MAX_TOKENS) for name in ("input_tokens", "output_tokens")
            ),
            affinity=_short(row.get("affinity", "")),
            account=_short(row["account"]),
        )
        for row in rows
        if row["source"] != UsageSource.CORRECTED and row["account"]
    ]
    return sorted(requests, key=lambda request: request.at_ms)
