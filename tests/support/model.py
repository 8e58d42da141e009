"""
What the scripts do to one pool, in plain Python: slow, exact, and without Redis.

It says what a call must answer and leave behind. Which of several eligible accounts is chosen
is the policy's affair; the model is told, and says whether that account was eligible.
"""

from __future__ import annotations

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


@dataclass
class Counter:
    """What is settled and held under one limit; the fields are those of its hash."""

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
        """Settled and held at *now*, which strict limits promise never to exceed their max."""
        if limit["per"] in PERIOD_MS:
            return -(-self.drained(now) // PERIOD_MS[limit["per"]]) + self.h
        return self.s + self.h

    def drains_from(self, per: str, now: int) -> int:
        """Since when it drains: a clock that went back by a period at most is waited for."""
        return self.t if self.t is not None and now < self.t <= now + PERIOD_MS[per] else now

    def turn(self, limit: Json, now: int, start: int, reset: int) -> None:
        """Begin another window, or another rate, where it is time for it."""
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


@dataclass
class Request:
    key: str
    account: str
    model: str
    bounds: dict[str, int]
    holds: list[Hold]
    deadline: int
    reply: Json
    attempt: int = 1
    expired: bool = False


@dataclass
class Account:
    cap: int
    in_flight: int = 0
    state: str = "active"
    errors: int = 0
    limited: tuple[str, int] = ("", 0)  # the model that was limited last, and when
    tested: str = ""  # the state that one ordinary request is to disprove
    since: int = 0  # in its state, tests that failed not counted
    due: float = NEVER  # when it is looked at again; only while it is out

    @property
    def probe(self) -> bool:
        return bool(self.tested)

    @property
    def is_ready(self) -> bool:
        return self.state == "active" and self.in_flight < (1 if self.probe else self.cap)


@dataclass
class Model:
    now: int
    limits: dict[str, list[Json]]  # of each key, and of the pool under ""
    accounts: dict[str, Account] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    rows: list[tuple[str, str, int, int, int]] = field(default_factory=list)
    overloaded: dict[tuple[str, str], int] = field(default_factory=dict)

    def limits_for(self, key: str, model: str) -> list[Json]:
        return [
            limit
            for limit in self.limits[key] + self.limits[""]
            if fnmatchcase(model, limit.get("model", "*"))
        ]

    def counter(self, limit: Json) -> Counter:
        return self.counters.setdefault(limit["id"], Counter())

    # admission

    def admit(self, ask: Json, reply: Json) -> None:
        """Check *reply* to the admission *ask*, and do what it did."""
        if ask["id"] in self.requests:
            assert reply == self.requests[ask["id"]].reply
            return
        if ask["id"] in self.settled:
            assert reply.get("refused") == "settled"
            return
        self.sweep(SWEPT_BY_ADMISSION)
        self.wake()
        limits = self.limits_for(ask["key"], ask["model"])
        if obstacles := [why for limit in limits if (why := self._obstacle(limit, ask))]:
            assert (reply.get("refused"), reply.get("why")) == (
                "limit",
                min(obstacles, key=WORST_FIRST.index),
            )
        elif eligible := self.eligible(ask["model"], ask["tried"]):
            assert reply.get("account") in eligible, reply
            self._hold(ask, reply, limits)
        else:
            assert reply.get("refused") == "no_accounts"
            assert reply.get("states") == self._states()

    def eligible(self, model: str, tried: list[str]) -> set[str]:
        return {
            name
            for name, account in self.accounts.items()
            if account.is_ready and name not in tried and self.overloaded.get((name, model), 0) <= self.now
        }

    def _amount(self, limit: Json, ask: Json) -> int:
        if limit["what"] in ("requests", "parallel_requests"):
            return 1
        amounts = ask["estimates" if limit["mode"] == "balanced" else "bounds"]
        return _used(amounts, limit["what"])

    def _obstacle(self, limit: Json, ask: Json) -> str | None:
        counter, amount = self.counter(limit), self._amount(limit, ask)
        start, reset = ask["calendar"].get(limit["per"], [0, 0])[:2]
        counter.turn(limit, self.now, start, reset)
        if amount > limit["max"]:
            return "never"
        if limit["per"] in PERIOD_MS:
            period = PERIOD_MS[limit["per"]]
            room = limit["max"] * period - counter.drained(self.now) - amount * period
            return "spent" if room < 0 else "held" if room < counter.h * period else None
        room = limit["max"] - counter.s - amount
        return "spent" if room < 0 and limit["per"] != "none" else "held" if room < counter.h else None

    def _hold(self, ask: Json, reply: Json, limits: list[Json]) -> None:
        holds = []
        for limit in limits:
            counter, amount, known = (
                self.counter(limit),
                self._amount(limit, ask),
                limit["what"] == "requests",
            )
            counter.take(limit, amount, self.now, known=known)
            if not known:
                holds.append(Hold(limit, amount, counter.b))
        self.accounts[reply["account"]].in_flight += 1
        self.requests[ask["id"]] = Request(
            ask["key"], reply["account"], ask["model"], ask["bounds"], holds, self.now + ask["ttl_ms"], reply
        )

    def _states(self) -> dict[str, int]:
        states = [account.state for account in self.accounts.values()]
        return {state: states.count(state) for state in states}

    # attempts

    def report(self, ask: Json, reply: Json) -> None:
        request = self.requests.get(ask["id"])
        if request and request.attempt > ask["attempt"]:
            assert reply == request.reply
            return
        if request is None or request.expired:
            assert reply.get("refused") == "lease"
            return
        last = request.account
        if last:
            self.mark(last, ask["mark"])
            self.free(last)
        self.wake()
        eligible = self.eligible(request.model, ask["tried"])
        if not eligible and len(ask["never"]) < len(ask["tried"]):
            eligible = self.eligible(request.model, ask["never"])
        if not eligible:
            assert reply.get("refused") == "no_accounts"
            request.account = ""
            return
        assert reply.get("account") in eligible
        request.account = reply["account"]
        request.attempt += 1
        request.reply = reply
        request.deadline = self.now + ask["ttl_ms"]
        self.accounts[reply["account"]].in_flight += 1

    def renew(self, ids: list[str], ttl_ms: int, lost: list[str]) -> None:
        running = [id for id in ids if id in self.requests and not self.requests[id].expired]
        assert lost == [id for id in ids if id not in running]
        for id in running:
            self.requests[id].deadline = self.now + ttl_ms
        self.sweep(SWEPT_BY_RENEWAL)
        self.wake()

    # the end

    def settle(self, id: str, mark: Json, row: Json) -> None:
        if id in self.settled:
            return
        self.settled.add(id)
        request = self.requests.pop(id)
        if request.account:
            self.mark(request.account, mark)
        for hold in request.holds:
            charged = hold.amount if request.expired else None
            self.counter(hold.limit).settle(hold, _used(row, hold.limit["what"]), self.now, charged)
        if request.expired:
            figures = [row[name] - request.bounds[name] for name in ("input_tokens", "output_tokens", "cost")]
            self.rows.append((id, "corrected", *figures))
        else:
            self.free(request.account)
            self.rows.append((id, "upstream", row["input_tokens"], row["output_tokens"], row["cost"]))

    def sweep(self, most: int) -> None:
        running = [(r.deadline, id) for id, r in self.requests.items() if not r.expired]
        overdue = sorted(one for one in running if one[0] <= self.now)
        for _, id in overdue[:most]:
            request = self.requests[id]
            request.expired = True
            self.free(request.account)
            for hold in request.holds:
                self.counter(hold.limit).settle(hold, hold.amount, self.now, None)
            figures = [request.bounds[name] for name in ("input_tokens", "output_tokens", "cost")]
            self.rows.append((id, "estimated", *figures))

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
        if mark.get("ok"):
            account.errors = 0
            if account.tested:
                self._enter(account, "active")
        elif "model" in mark:
            self.overloaded[name, mark["model"]] = self.now + mark["wait_ms"]
            if mark.get("why") == "limited":
                self._limit_second(account, mark)
        elif mark.get("soft"):
            account.errors += 1
            if account.state == "active" and self._may_suspect(name, mark["asked"]):
                wait = min(mark["most_ms"], mark["base_ms"] * 2 ** (account.errors - 1))
                self._enter(account, "suspected", self.now + wait)
        elif "state" in mark and not self._outranked(account.state, mark["state"]):
            self._enter(account, mark["state"], self._retest_at(account, mark))

    def _retest_at(self, account: Account, mark: Json) -> float:
        if "retest_wait_ms" in mark:
            return self.now + mark["retest_wait_ms"] if mark["retest_wait_ms"] else NEVER
        ends = self.now + mark["wait_ms"]
        same = (account.tested or account.state) == mark["state"]
        whole = ends - account.since if same else mark["wait_ms"]
        planned = account.due if account.state == mark["state"] else NEVER
        return min(self.now + max(1000, min(600_000, 0.05 * whole)), ends, planned)

    def _outranked(self, held: str, state: str) -> bool:
        return held in ("paused", "credential_dead") or (held, state) == ("window_spent", "burst_limited")

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
        self._enter(self.accounts[name], "active")
        self.accounts[name].errors = 0


def _used(amounts: Json, what: str) -> int:
    if what == "total_tokens":
        return int(amounts["input_tokens"] + amounts["output_tokens"])
    return int(amounts.get(what, 0))
