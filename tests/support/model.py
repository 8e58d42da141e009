"""
What the scripts do to one pool, in plain Python: slow, exact, and without Redis.

It computes what a call must return and store. The policy decides which of several eligible accounts is
chosen; the model receives that account, and checks that it was eligible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Json = dict[str, Any]

PERIOD_MS = {"second": 1000, "minute": 60_000}
SWEPT_BY_ADMISSION = 4
WOKEN_AT_ONCE = 4
SWEPT_BY_RENEWAL = 100
WORST_FIRST = ("never", "unbounded", "spent", "held")
NEVER = float("inf")
CHARGED = ("input_tokens", "output_tokens", "cost")
FIGURES = (*CHARGED, *(f"unreported_{name}" for name in CHARGED))


@dataclass
class Counter:
    """What is settled and held under one limit; its fields are those of the hash."""

    h: int = 0
    t: int | None = None
    q: int = 0
    m: int | None = None
    b: int = 0
    s: int = 0
    pb: int = 0
    ps: int = 0
    ph: int = 0

    def drained(self, now: int) -> int:
        elapsed = max(0, now - (self.t if self.t is not None else now))
        return max(0, self.q - elapsed * (self.m or 0))

    def level(self, limit: Json, now: int) -> int:
        """Return the amount settled and held at *now*; it never exceeds the maximum of a strict limit."""
        if limit["per"] in PERIOD_MS:
            return -(-self.drained(now) // PERIOD_MS[limit["per"]]) + self.h
        return self.s + self.h

    def drains_from(self, per: str, now: int) -> int:
        """Return since when it drains; if the clock went back by at most a period, it waits for the clock."""
        return self.t if self.t is not None and now < self.t <= now + PERIOD_MS[per] else now

    def turn(self, limit: Json, now: int, start: int, reset: int) -> None:
        """Begin another window, or another rate, when it is due."""
        if limit["per"] in PERIOD_MS:
            since = self.drains_from(limit["per"], now)
            jumped = self.t is not None and self.t > now and since == now
            if jumped or self.m not in (None, limit["max"]):
                self.q, self.t, self.m = self.drained(now), since, limit["max"]
        elif 0 < reset < self.b:  # the clock was more than a window ahead
            here = (self.ps, self.ph) if self.pb == start else (0, 0)
            self.pb, self.ps, self.ph = self.b, self.s, self.h
            self.b, self.s, self.h = start, self.s + self.h + here[0], here[1]
        elif self.b < start:
            self.pb, self.ps, self.ph = self.b, self.s, self.h
            self.b, self.s, self.h = start, 0, 0

    def take(self, limit: Json, amount: int, now: int, *, known: bool) -> None:
        if limit["per"] in PERIOD_MS:
            charged = amount * PERIOD_MS[limit["per"]] if known else 0
            since = self.drains_from(limit["per"], now)
            self.q, self.t, self.m = self.drained(now) + charged, since, limit["max"]
        elif limit["per"] != "none":
            self.m = limit["max"]
            self.s += amount if known else 0
        self.h += 0 if known else amount

    def settle(self, hold: Hold, actual: int, now: int, charged: int | None) -> None:
        released = 0 if charged is not None else hold.amount
        more = actual - (charged or 0)
        per = hold.limit["per"]
        if per in PERIOD_MS:
            if charged is None or more >= 0:
                since = self.drains_from(per, now)
                self.q, self.t = self.drained(now) + more * PERIOD_MS[per], since
            self.h -= released
        elif per == "none":
            self.h -= released
        elif hold.start == self.b:
            self.s += more
            self.h -= min(released, self.h)
        elif hold.start == self.pb:
            self.ps += more
            self.ph -= min(released, self.ph)


@dataclass
class Hold:
    limit: Json
    amount: int
    start: int

    @property
    def ends_with_attempt(self) -> bool:
        return bool(self.limit["what"] != "parallel_requests")


@dataclass
class Request:
    """An open request; `bounds` are those of the running attempt, None if nothing is reserved."""

    key: str
    account: str
    model: str
    bounds: dict[str, int] | None
    holds: list[Hold]
    deadline: int
    reply: Json
    team: str = ""  # that its key had when it was admitted
    unenforced: bool = False  # which of the two bounds is reserved
    charges: list[Json] = field(default_factory=list)  # charged for earlier attempts
    attempt: int = 1
    expired: bool = False

    def expired_figures(self) -> dict[str, int]:
        """Return the figures of its row if its lease expires."""
        parts = [self.bounds or {}, *self.charges]
        return {name: sum(part.get(name, 0) for part in parts) for name in FIGURES}


@dataclass
class Account:
    cap: int
    kind: str = "openai"
    exceeded: bool = False  # whether it once billed more than a request allowed
    in_flight: int = 0
    state: str = "active"
    errors: int = 0
    limited: tuple[str, int] = ("", 0)  # the model that was last limited, and when
    tested: str = ""  # the state that one ordinary request is to disprove
    since: int = 0  # in its state, tests that failed not counted
    due: float = NEVER  # when it is examined again; only while it is out of use

    @property
    def probe(self) -> bool:
        return bool(self.tested)

    @property
    def enforces(self) -> bool:
        return self.kind != "chatgpt" and not self.exceeded

    @property
    def is_ready(self) -> bool:
        return self.state == "active" and self.in_flight < (1 if self.probe else self.cap)


@dataclass
class Model:
    now: int
    limits: dict[str, list[Json]]  # of each key, of each team, and of the pool under ""
    teams: dict[str, str] = field(default_factory=dict)  # of each key that has one
    accounts: dict[str, Account] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    expired_charges: dict[str, list[Json]] = field(default_factory=dict)  # in the row of a lease that expired
    overloaded: dict[tuple[str, str], int] = field(default_factory=dict)
    refused: tuple[str, int] | None = None  # the account that was last taken out for its credential, and when

    def limits_for(self, key: str, team: str, model: str) -> list[Json]:
        of_team = self.limits[team] if team else []
        return [limit for limit in self.limits[key] + of_team + self.limits[""] if applies(limit, model)]

    def counter(self, limit: Json) -> Counter:
        return self.counters.setdefault(limit["id"], Counter())

    # admission

    def admit(self, admit_request: Json, reply: Json) -> None:
        """Check *reply* to the admission *admit_request*, and apply its effects."""
        if admit_request["id"] in self.requests:
            assert reply == self.requests[admit_request["id"]].reply
            return
        if admit_request["id"] in self.settled:
            assert reply.get("refused") == "settled"
            return
        self.sweep(SWEPT_BY_ADMISSION)
        self.wake()
        team = self.teams.get(admit_request["key"], "")
        limits = self.limits_for(admit_request["key"], team, admit_request["model"])
        if refusal := self._refusal(limits, admit_request, unenforced=False):
            assert (reply.get("refused"), reply.get("why")) == ("limit", refusal)
            return
        larger = self._larger_refusal(limits, admit_request)
        if eligible := self.eligible(admit_request["model"], admit_request["tried"], enforcing=bool(larger)):
            assert reply.get("account") in eligible, reply
            self._admitted(admit_request, reply, limits)
        elif larger and self.eligible(admit_request["model"], admit_request["tried"]):
            assert (reply.get("refused"), reply.get("why"), reply.get("unenforced")) == (
                "limit",
                larger,
                True,
            )
        else:
            assert reply.get("refused") == "no_accounts"
            assert reply.get("states") == self._states()

    def eligible(self, model: str, tried: list[str], *, enforcing: bool = False) -> set[str]:
        return {
            name
            for name, account in self.accounts.items()
            if account.is_ready
            and name not in tried
            and self.overloaded.get((name, model), 0) <= self.now
            and (account.enforces or not enforcing)
        }

    def _refusal(
        self, limits: list[Json], admit_request: Json, *, unenforced: bool, own: list[Hold] | None = None
    ) -> str | None:
        """
        Return the worst reason that a reservation does not fit after *own* are released; None if it fits.
        """
        found = [self._obstacle(limit, admit_request, unenforced, own or []) for limit in limits]
        return min((why for why in found if why), key=WORST_FIRST.index, default=None)

    def _larger_refusal(
        self, limits: list[Json], admit_request: Json, own: list[Hold] | None = None
    ) -> str | None:
        if "unenforced_bounds" not in admit_request:
            return None
        return self._refusal(limits, admit_request, unenforced=True, own=own)

    def _amount(self, limit: Json, admit_request: Json, unenforced: bool) -> int:
        if limit["what"] in ("requests", "parallel_requests"):
            return 1
        amounts = admit_request["bounds"]
        if limit["mode"] == "balanced":
            amounts = admit_request["estimates"]
        elif unenforced:
            amounts = admit_request.get("unenforced_bounds", amounts)
        return _used(amounts, limit)

    def _obstacle(self, limit: Json, admit_request: Json, unenforced: bool, own: list[Hold]) -> str | None:
        counter, amount = self.counter(limit), self._amount(limit, admit_request, unenforced)
        start, reset = admit_request["calendar"].get(limit["per"], [0, 0])[:2]
        counter.turn(limit, self.now, start, reset)
        held = counter.h
        for hold in own:
            if hold.limit["id"] == limit["id"] and (limit["per"] in PERIOD_MS or hold.start == counter.b):
                held = max(0, held - hold.amount)
        if amount > limit["max"]:
            return "never"
        if limit["per"] in PERIOD_MS:
            period = PERIOD_MS[limit["per"]]
            room = limit["max"] * period - counter.drained(self.now) - amount * period
            return "spent" if room < 0 else "held" if room < held * period else None
        room = limit["max"] - counter.s - amount
        return "spent" if room < 0 and limit["per"] != "none" else "held" if room < held else None

    def _reserve(self, limits: list[Json], admit_request: Json, unenforced: bool) -> list[Hold]:
        holds = []
        for limit in limits:
            counter, known = self.counter(limit), limit["what"] == "requests"
            amount = self._amount(limit, admit_request, unenforced)
            counter.take(limit, amount, self.now, known=known)
            if not known:
                holds.append(Hold(limit, amount, counter.b))
        return holds

    def _admitted(self, admit_request: Json, reply: Json, limits: list[Json]) -> None:
        account = self.accounts[reply["account"]]
        unenforced = not account.enforces
        assert reply.get("unenforced", False) is unenforced
        holds = self._reserve(limits, admit_request, unenforced)
        account.in_flight += 1
        bounds = _bounds(admit_request, unenforced)
        self.requests[admit_request["id"]] = Request(
            admit_request["key"],
            reply["account"],
            admit_request["model"],
            bounds,
            holds,
            self.now + admit_request["ttl_ms"],
            reply,
            self.teams.get(admit_request["key"], ""),
            unenforced,
        )

    def _states(self) -> dict[str, int]:
        states = [account.state for account in self.accounts.values()]
        return {state: states.count(state) for state in states}

    # attempts

    def report(self, admit_request: Json, reply: Json) -> None:
        request = self.requests.get(admit_request["id"])
        if request and request.attempt > admit_request["attempt"]:
            assert reply == request.reply
            return
        if request is None or request.expired:
            assert reply.get("refused") == "lease"
            return
        self._end_attempt(request, admit_request)
        limits = [
            limit
            for limit in self.limits_for(admit_request["key"], request.team, request.model)
            if limit["what"] not in ("requests", "parallel_requests")
        ]
        larger = None
        if request.bounds is None or "unenforced_bounds" in admit_request:
            own = [hold for hold in request.holds if hold.ends_with_attempt]
            smaller = self._refusal(limits, admit_request, unenforced=False, own=own)
            if smaller and (request.bounds is None or request.unenforced):
                assert (reply.get("refused"), reply.get("why")) == ("limit", smaller)
                return
            larger = None if request.unenforced else self._larger_refusal(limits, admit_request, own)
        eligible = self._next(request, admit_request, enforcing=bool(larger))
        if not eligible:
            if larger and self._next(request, admit_request, enforcing=False):
                assert (reply.get("refused"), reply.get("why")) == ("limit", larger)
            else:
                assert reply.get("refused") == "no_accounts"
            return
        assert reply.get("account") in eligible
        self._start_attempt(request, admit_request, reply, limits)

    def _end_attempt(self, request: Request, admit_request: Json) -> None:
        if request.account:
            self.mark(request.account, admit_request["mark"])
            self.free(request.account)
            if "charge" in admit_request:
                self._release(request, admit_request["charge"])
                request.charges.append(admit_request["charge"])
                request.bounds, request.unenforced = None, False
        self.wake()
        request.account = ""

    def _start_attempt(self, request: Request, admit_request: Json, reply: Json, limits: list[Json]) -> None:
        account = self.accounts[reply["account"]]
        unenforced = not account.enforces
        assert reply.get("unenforced", False) is unenforced
        differs = "unenforced_bounds" in admit_request and request.unenforced != unenforced
        if request.bounds is None or differs:
            self._release(request, None)
            request.holds += self._reserve(limits, admit_request, unenforced)
            request.bounds = _bounds(admit_request, unenforced)
        request.unenforced = unenforced
        request.account = reply["account"]
        request.attempt += 1
        request.reply = reply
        request.deadline = self.now + admit_request["ttl_ms"]
        account.in_flight += 1

    def _next(self, request: Request, admit_request: Json, *, enforcing: bool) -> set[str]:
        eligible = self.eligible(request.model, admit_request["tried"], enforcing=enforcing)
        tried = admit_request["tried"]
        waits = (
            admit_request.get("may_wait") and len(tried) > 1 and self._has_full_account(request.model, tried)
        )
        if not eligible and len(admit_request["never"]) < len(tried) and not waits:
            eligible = self.eligible(request.model, admit_request["never"], enforcing=enforcing)
        return eligible

    def _has_full_account(self, model: str, tried: list[str]) -> bool:
        """Return whether an account that was not tried lacks nothing but a free slot."""
        return any(
            account.state == "active"
            and not account.is_ready
            and name not in tried
            and self.overloaded.get((name, model), 0) <= self.now
            for name, account in self.accounts.items()
        )

    def _release(self, request: Request, charge: Json | None) -> None:
        """End the reservations of an attempt, and settle *charge*."""
        for hold in request.holds:
            if hold.ends_with_attempt:
                actual = _used(charge, hold.limit) if charge else 0
                self.counter(hold.limit).settle(hold, actual, self.now, None)
        request.holds = [hold for hold in request.holds if not hold.ends_with_attempt]

    def renew(self, ids: list[str], ttl_ms: int, lost: list[str]) -> None:
        running = [id for id in ids if id in self.requests and not self.requests[id].expired]
        assert lost == [id for id in ids if id not in running]
        for id in running:
            self.requests[id].deadline = self.now + ttl_ms
        self.sweep(SWEPT_BY_RENEWAL)
        self.wake()

    # the end

    def settle(self, id: str, mark: Json, row: Json, *, at_bound: bool = False) -> None:
        if id in self.settled:
            return
        self.settled.add(id)
        request = self.requests.pop(id)
        figures = {name: row.get(name, 0) for name in FIGURES}
        if at_bound:
            figures = request.expired_figures()
        if request.account:
            self.mark(request.account, mark)
        for hold in request.holds:
            charged = hold.amount if request.expired else None
            actual = _used(figures, hold.limit) - sum(_used(each, hold.limit) for each in request.charges)
            self.counter(hold.limit).settle(hold, actual, self.now, charged)
        if request.expired:
            expired = request.expired_figures()
            figures = {name: amount - expired[name] for name, amount in figures.items()}
        else:
            self.free(request.account)
        self.rows.append((id, "corrected" if request.expired else "upstream", *figures.values()))

    def sweep(self, most: int) -> None:
        running = [(r.deadline, id) for id, r in self.requests.items() if not r.expired]
        overdue = sorted(one for one in running if one[0] <= self.now)
        for _, id in overdue[:most]:
            request = self.requests[id]
            request.expired = True
            self.expired_charges[id] = request.charges[:]
            self.free(request.account)
            for hold in request.holds:
                self.counter(hold.limit).settle(hold, hold.amount, self.now, None)
            self.rows.append((id, "estimated", *request.expired_figures().values()))

    # accounts

    def free(self, name: str) -> None:
        if name in self.accounts:
            self.accounts[name].in_flight -= 1

    def wake(self) -> None:
        due = sorted((a.due, name) for name, a in self.accounts.items() if a.due <= self.now)
        for _, name in due[:WOKEN_AT_ONCE]:
            account = self.accounts[name]
            account.due = NEVER
            if account.state == "burst_limited":
                self._enter(account, "active")
            else:
                account.state, account.tested = "active", account.state

    def _enter(self, account: Account, state: str, due: float = NEVER) -> None:
        if (account.tested or account.state) != state:
            account.since = self.now
        account.state, account.tested, account.due = state, "", due

    def mark(self, name: str, mark: Json) -> None:
        account = self.accounts.get(name)
        if account is None:
            return
        account.exceeded |= "exceeded" in mark
        if mark.get("ok"):
            account.errors = 0
            if account.tested:
                self._enter(account, "active")
        elif "model" in mark:
            self.overloaded[name, mark["model"]] = self.now + mark["wait_ms"]
            if mark.get("why") == "limited":
                self._limit_second(account, mark)
        elif mark.get("soft") or (mark.get("state") == "credential_dead" and self._is_doubtful(name, mark)):
            account.errors += 1
            if account.state == "active" and self._may_suspect(name, mark["asked"]):
                wait = min(mark["most_ms"], mark["base_ms"] * 2 ** (account.errors - 1))
                self._enter(account, "suspected", self.now + wait)
        elif "state" in mark and not self._outranked(account.state, mark["state"]):
            self._enter(account, mark["state"], self._retest_at(account, mark))

    def _is_doubtful(self, name: str, mark: Json) -> bool:
        """Return whether another account was taken out for its credential within the last minute."""
        account = self.accounts[name]
        outranked = self._outranked(account.state, mark["state"])
        if "base_ms" not in mark or account.tested == mark["state"] or outranked:
            return False
        other, at = self.refused or (name, 0)
        if other != name and 0 <= self.now - at < 60_000:
            return True
        self.refused = name, self.now
        return False

    def _retest_at(self, account: Account, mark: Json) -> float:
        if "retest_wait_ms" in mark:
            return self.now + mark["retest_wait_ms"] if mark["retest_wait_ms"] else NEVER
        ends = self.now + mark["wait_ms"]
        same = (account.tested or account.state) == mark["state"]
        complete = ends - account.since if same else mark["wait_ms"]
        planned = account.due if account.state == mark["state"] else NEVER
        return min(self.now + max(1000, min(600_000, 0.05 * complete)), ends, planned)

    def _outranked(self, held: str, state: str) -> bool:
        return held in ("paused", "credential_dead") or (
            state == "burst_limited" and held in ("window_spent", "payment_required")
        )

    def _limit_second(self, account: Account, mark: Json) -> None:
        model, at = account.limited
        account.limited = mark["model"], self.now
        if account.state == "active" and model not in ("", mark["model"]) and self.now - at < 60_000:
            self._enter(account, "burst_limited", self.now + min(mark["wait_ms"], 60_000))

    def _may_suspect(self, name: str, model: str) -> bool:
        others = {other: account for other, account in self.accounts.items() if other != name}
        soft = sum(account.probe or account.state == "suspected" for account in others.values())
        firm = sum(
            account.is_ready and not account.probe and not self._rests(other, model)
            for other, account in others.items()
        )
        return soft < max(1, len(self.accounts) // 4) and firm > 0

    def _rests(self, name: str, model: str) -> bool:
        return self.overloaded.get((name, model), 0) > self.now

    def pause(self, name: str) -> None:
        self._enter(self.accounts[name], "paused")

    def resume(self, name: str) -> None:
        """Resume an account, as an operator does: all of its models are tried again."""
        self._enter(self.accounts[name], "active")
        self.accounts[name].errors = 0
        self.overloaded = {pair: until for pair, until in self.overloaded.items() if pair[0] != name}


def applies(limit: Json, model: str) -> bool:
    pattern, name = limit.get("model", "*").lower(), model.lower()
    dated = re.fullmatch(r"(.+)-\d{4}-\d{2}-\d{2}", name)
    return any(fnmatchcase(each, pattern) for each in (name, dated[1] if dated else name))


def _bounds(admit_request: Json, unenforced: bool) -> dict[str, int]:
    bounds: dict[str, int] = (
        admit_request.get("unenforced_bounds", admit_request["bounds"])
        if unenforced
        else admit_request["bounds"]
    )
    return bounds


def _used(amounts: Json, limit: Json) -> int:
    """Return the amount that *limit* counts; a strict limit also counts what was not reported."""
    what = limit["what"]
    names = CHARGED[:2] if what == "total_tokens" else (what,)
    if limit["mode"] == "strict":
        names = (*names, *(f"unreported_{name}" for name in names))
    return sum(int(amounts.get(name, 0)) for name in names)
