"""The store behaves as the model does, for any sequence of operations."""

from __future__ import annotations

import random
from collections import Counter as Tally
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from app.stores import keys
from app.stores.client import make_client
from tests.support.model import CHARGED, FIGURES, Account, Model, Request
from tests.support.store import START_MS, TTL_MS, StoreOfTest, limit

HOUR_MS = 3_600_000
KEYS = {
    "k": [
        limit("k-requests", "requests", "minute", 12),
        limit("k-burst", "output_tokens", "second", 150),
        limit("k-tokens", "total_tokens", "minute", 400),
        limit("k-hour", "output_tokens", "hour", 500),
        limit("k-parallel", "parallel_requests", "none", 4),
        limit("k-likely", "cost", "day", 300, mode="balanced"),
    ],
    "j": [
        limit("j-requests", "requests", "day", 15),
        limit("j-model", "input_tokens", "week", 600, model="m"),
    ],
}
TEAMS = {
    "red": [
        limit("red-tokens", "total_tokens", "hour", 700),
        limit("red-parallel", "parallel_requests", "none", 3),
    ],
    "blue": [limit("blue-cost", "cost", "day", 400), limit("blue-requests", "requests", "minute", 10)],
}
POOL_LIMITS = [limit("p-cost", "cost", "month", 1500), limit("p-ever", "total_tokens", "ever", 3000)]
LIMITS = {each["id"]: each for each in (*KEYS["k"], *KEYS["j"], *TEAMS["red"], *TEAMS["blue"], *POOL_LIMITS)}
ACCOUNTS = {"a": 2, "b": 1, "c": 3, "d": 2}  # and their caps
KINDS = {"d": "chatgpt"}  # others are of the kind openai
MODELS = ("m", "n", "M-2026-11-28")
COUNTED = (*FIGURES, "requests", "errors")
AMOUNTS = st.sampled_from([0, 1, 7, 50, 120])
SHARES = st.sampled_from([0, 0.1, 0.5, 1])
MARKS = st.sampled_from(
    [
        {},
        {"ok": True},
        {"ok": True, "exceeded": "{}"},
        {"soft": True, "asked": "m", "reason": "cut", "base_ms": 1000, "most_ms": 20_000, "exceeded": "{}"},
        {"soft": True, "asked": "m", "reason": "cut", "base_ms": 1000, "most_ms": 20_000},
        {"soft": True, "asked": "n", "reason": "cut", "base_ms": 1000, "most_ms": 20_000},
        {"state": "burst_limited", "reason": "429", "wait_ms": 2000, "retest_wait_ms": 2000},
        {"state": "window_spent", "reason": "429", "wait_ms": 600_000},
        {"state": "credential_dead", "reason": "401", "wait_ms": 0, "retest_wait_ms": 0},
        {
            **{"state": "credential_dead", "reason": "401", "wait_ms": 0, "retest_wait_ms": 0},
            **{"asked": "m", "base_ms": 1000, "most_ms": 20_000},
        },
        {"model": "m", "why": "overloaded", "wait_ms": 5000},
        {"model": "m", "why": "limited", "wait_ms": 2000},
        {"model": "n", "why": "limited", "wait_ms": 90_000},
    ]
)

MILD: list[dict[str, Any]] = [  # they take no account out for long
    *({}, {"ok": True}, {"ok": True}),
    {"ok": True, "exceeded": "{}"},
    {"model": "n", "why": "limited", "wait_ms": 2000},
    {"state": "burst_limited", "reason": "429", "wait_ms": 2000, "retest_wait_ms": 2000},
]


class StoreMachine(RuleBasedStateMachine):
    url = ""  # of the server, see below
    running = Bundle("running")
    ended = Bundle("ended")

    def __init__(self) -> None:
        super().__init__()
        client = make_client(self.url, 5.0)
        client.flushall()
        self.store = StoreOfTest(client)
        self.model = Model(
            START_MS,
            {owner: list(limits) for owner, limits in (*KEYS.items(), *TEAMS.items())} | {"": POOL_LIMITS[:]},
        )
        self.ceilings = {limit_id: each["max"] for limit_id, each in LIMITS.items()}
        self.highest = dict(self.ceilings)  # that each limit ever had
        self.admissions: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.charged = 0  # attempts

    @initialize(policy=st.sampled_from(["balanced", "round_robin", "least_loaded", "ordered"]))
    def begin(self, policy: str) -> None:
        self.store.policy(policy)
        for name, cap in ACCOUNTS.items():
            self.store.account(name, cap=cap, kind=KINDS.get(name, "openai"))
            self.model.accounts[name] = Account(cap, KINDS.get(name, "openai"))
        self.write_limits()

    def write_limits(self) -> None:
        for key in KEYS:
            self.store.key(key, *self.model.limits[key], team=self.model.teams.get(key, ""))
        for team in TEAMS:
            self.store.team(team, *self.model.limits[team])
        self.store.pool_limits(*self.model.limits[""])

    # requests

    @rule(
        target=running,
        key=st.sampled_from(list(KEYS)),
        model=st.sampled_from(MODELS),
        tokens=st.tuples(AMOUNTS, AMOUNTS),
        cost=AMOUNTS,
        likely=SHARES,
        unenforced=st.sampled_from([0, 0, 1, 3]),
        affinity=st.sampled_from(["", "x", "y"]),
    )
    def admit(
        self,
        key: str,
        model: str,
        tokens: tuple[int, int],
        cost: int,
        likely: float,
        unenforced: int,
        affinity: str,
    ) -> Any:
        """*unenforced* is how much more may be billed where output lengths are ignored; 0: no more."""
        admission = self.store.admission(None, key, model=model, affinity=affinity)
        admission["bounds"] = {"input_tokens": tokens[0], "output_tokens": tokens[1], "cost": cost}
        admission["estimates"] = {name: int(amount * likely) for name, amount in admission["bounds"].items()}
        if unenforced:
            larger = {name: amount * unenforced for name, amount in admission["bounds"].items()}
            admission["unenforced_bounds"] = larger | {"input_tokens": tokens[0]}
        reply = self.store.scripts.run_json("admit", self.store.pool, admission)
        self.model.admit(admission, reply)
        if "refused" in reply:
            return multiple()
        self.admissions[admission["id"]] = admission | {"affinity": ""}
        return admission["id"]

    @rule(request_id=running)
    def admit_again(self, request_id: str) -> None:
        """The reply was lost."""
        admission = self.admissions[request_id]
        self.model.admit(admission, self.store.scripts.run_json("admit", self.store.pool, admission))

    @rule(
        request_id=running,
        mark=MARKS,
        again=st.booleans(),
        stale=st.booleans(),
        may_wait=st.booleans(),
        charged=st.one_of(st.none(), st.tuples(SHARES, SHARES)),
    )
    def report(
        self,
        request_id: str,
        mark: dict[str, Any],
        again: bool,
        stale: bool,
        may_wait: bool,
        charged: tuple[float, float] | None,
    ) -> None:
        """*charged* are shares: estimated of what was reserved, and unreported of the rest."""
        request = self.model.requests[request_id]
        admission = self.admissions[request_id]
        if request.account and not stale:
            admission["tried"] = [*admission["tried"], request.account]
        attempt = request.attempt - 1 if stale and request.attempt > 1 else request.attempt
        admission = admission | {
            "attempt": attempt,
            "mark": mark,
            "never": [] if again else admission["tried"],
            "may_wait": may_wait,
        }
        admission["calendar"] = self.store.calendar()
        if charged:
            self.charged += bool(request.account and not request.expired)
            admission["charge"] = {"account": request.account, **shares_of(request.bounds or {}, *charged)}
        for _ in range(2 if stale else 1):
            self.model.report(admission, self.store.scripts.run_json("report", self.store.pool, admission))

    @rule(request_ids=st.lists(st.one_of(running, ended), unique=True, max_size=4))
    def renew(self, request_ids: list[str]) -> None:
        self.model.renew(request_ids, TTL_MS, self.store.renew(*request_ids))

    @rule(
        target=ended,
        request_id=consumes(running),
        share=SHARES,
        beyond=SHARES,
        at_bound=st.booleans(),
        mark=MARKS,
    )
    def settle(
        self, request_id: str, share: float, beyond: float, at_bound: bool, mark: dict[str, Any]
    ) -> str:
        """Settle a request, even one whose lease has expired: it still runs."""
        request = self.model.requests[request_id]
        own = shares_of(request.bounds or {}, share, beyond)
        figures = {name: own[name] + sum(each[name] for each in request.charges) for name in FIGURES}
        who = {"key": request.key, "account": request.account, "model": request.model}
        row = self.store.row(request_id, **who, **figures, attempts=attempts_of(request))
        self.rows[request_id] = row
        self._settle(request_id, row, mark, at_bound=at_bound)
        return request_id

    @rule(request_id=ended, mark=MARKS)
    def settle_again(self, request_id: str, mark: dict[str, Any]) -> None:
        self._settle(request_id, self.rows[request_id], mark)
        self.model.admit(
            self.admissions[request_id],
            self.store.scripts.run_json("admit", self.store.pool, self.admissions[request_id]),
        )

    def _settle(
        self, request_id: str, row: dict[str, Any], mark: dict[str, Any], *, at_bound: bool = False
    ) -> None:
        settlement = {"id": request_id, "mark": mark, "row": row, "calendar": self.store.calendar()}
        settlement |= {"at_bound": True} if at_bound else {}
        before = request_id in self.model.settled
        assert (self.store.scripts.run_raw("settle", self.store.pool, settlement) == "") is before
        self.model.settle(request_id, mark, row, at_bound=at_bound)

    # time

    @rule(by_ms=st.sampled_from([1, 300, 1000, 7000, TTL_MS, 31 * TTL_MS, -1, -5000]))
    def wait(self, by_ms: int) -> None:
        self.store.advance(by_ms)
        self.model.now = self.store.now

    @rule(span=st.sampled_from(["hour", "day", "week", "month"]), off_ms=st.sampled_from([-1, 0, 1]))
    def wait_for_boundary(self, span: str, off_ms: int) -> None:
        self.store.set_clock(self.store.calendar()[span][1] + off_ms)
        self.model.now = self.store.now

    # administrators

    @rule(limit_id=st.sampled_from(list(LIMITS)), most=st.sampled_from([1, 50, 400, 2000]))
    def edit_limit(self, limit_id: str, most: int) -> None:
        for limits in self.model.limits.values():
            for place, each in enumerate(limits):
                if each["id"] == limit_id:
                    limits[place] = each | {"max": most}
                    level = self.model.counter(each).level(each, self.model.now)
                    self.ceilings[limit_id] = max(most, level)
                    self.highest[limit_id] = max(most, self.highest[limit_id])
        self.write_limits()

    @rule(key=st.sampled_from(list(KEYS)), team=st.sampled_from(["", *TEAMS]))
    def move(self, key: str, team: str) -> None:
        """Give a key another team; what is in flight stays with the one it was admitted under."""
        assert self.store.scripts.run("change_key", self.store.pool, key, orjson.dumps({"team": team})) == 1
        self.model.teams[key] = team

    @rule(name=st.sampled_from(list(ACCOUNTS)), new_state=st.sampled_from(["paused", "active"]))
    def set_account_state(self, name: str, new_state: str) -> None:
        known = name in self.model.accounts
        assert self.store.set_state(name, new_state) == known
        if known:
            (self.model.pause if new_state == "paused" else self.model.resume)(name)

    @rule(name=st.sampled_from(list(ACCOUNTS)), cap=st.sampled_from([1, 2, 4]))
    def put_account(self, name: str, cap: int) -> None:
        if name not in self.model.accounts:
            return  # an account that was removed comes back as another one
        self.store.account(name, cap=cap, kind=KINDS.get(name, "openai"))
        self.model.accounts[name].cap = cap

    @rule(name=st.sampled_from(list(ACCOUNTS)))
    def trust_again(self, name: str) -> None:
        if name in self.model.accounts:
            self.store.client.hdel(keys.account(self.store.pool, name), "exceeded")
            self.model.accounts[name].exceeded = False

    @rule(name=st.sampled_from(["c", "d"]), new=st.sampled_from(["e", "f"]))
    def replace_account(self, name: str, new: str) -> None:
        self.store.remove(name)
        self.model.accounts.pop(name, None)
        if new not in self.model.accounts:
            self.store.account(new, cap=1)
            self.model.accounts[new] = Account(1)

    # what always holds

    @invariant()
    def limits_hold(self) -> None:
        for each in chain(*self.model.limits.values()):
            counter, ceiling = self.model.counter(each), self.ceilings[each["id"]]
            if each["mode"] == "strict":
                assert counter.level(each, self.model.now) <= ceiling
                assert counter.ps + counter.ph <= self.highest[each["id"]]

    @invariant()
    def counters_are_those_of_the_model(self) -> None:
        for limit_id in LIMITS:
            stored, counter = self.store.counters(limit_id), self.model.counters.get(limit_id)
            for name, value in stored.items():
                assert (limit_id, name, value) == (limit_id, name, getattr(counter, name))
            if not stored and counter:
                assert (counter.h, counter.q, counter.s) == (0, 0, 0)

    @invariant()
    def slots_are_open_leases(self) -> None:
        open_requests = {
            name: self.store.open_request(name.removeprefix("r:")) for name in self.store.names("r:*")
        }
        running = Tally(each["account"] for each in open_requests.values() if "expired" not in each)
        for name, account in self.model.accounts.items():
            assert self.store.in_flight(name) == running[name] == account.in_flight
        assert self.store.leases() == {
            id: request.deadline for id, request in self.model.requests.items() if not request.expired
        }
        assert {name.removeprefix("r:") for name in open_requests} == set(self.model.requests)

    @invariant()
    def accounts_are_those_of_the_model(self) -> None:
        root = keys.root(self.store.pool)
        ready = {
            name
            for kind in ("openai", "chatgpt")
            for name in self.store.client.zrange(f"{root}ready:cr:{kind}:any", 0, -1)
        }
        assert ready == {name for name, account in self.model.accounts.items() if account.is_ready}
        for name, account in self.model.accounts.items():
            stored = self.store.state(name)
            assert (stored["state"], stored.get("probe", "0")) == (account.state, account.tested or "0")
            assert int(stored.get("errors", 0)) == account.errors
            assert ("exceeded" in stored) is account.exceeded

    @invariant()
    def check_ledger(self) -> None:
        rows = self.store.rows()
        entries = [(row["id"], row["source"], *(row.get(name, 0) for name in FIGURES)) for row in rows]
        assert entries == self.model.rows
        for row in rows:
            if row["source"] == "estimated":
                assert row.get("charges", []) == self.model.expired_charges[row["id"]]
        corrected = sum(row["source"] == "corrected" for row in rows)
        expired = sum(request.expired for request in self.model.requests.values())
        assert len(rows) == len(self.model.settled) + expired + corrected
        for span, start in (
            ("h", lambda row: row["at_ms"] - row["at_ms"] % HOUR_MS),
            ("d", lambda row: row["day_ms"]),
        ):
            stored_sums = {
                (where, who): amount
                for (where, who), amount in self.store.rolled_up(span).items()
                if who.rpartition("|")[2] in COUNTED
            }
            assert nonzero(stored_sums) == sums(rows, start)
        used = {(key, name): n for key in KEYS for name, n in self.store.used(key).items()}
        totals: Tally[tuple[Any, str]] = Tally()
        for (_, who), amount in sums(rows, lambda row: 0).items():
            key, _, _, name = who.split("|")
            totals[key, name] += amount
        assert nonzero(used) == nonzero(totals)

    def teardown(self) -> None:
        """When all requests are settled, nothing of them remains."""
        for request_id, request in list(self.model.requests.items()):
            who = {"key": request.key, "account": request.account, "model": request.model}
            row = self.store.row(request_id, **who, attempts=attempts_of(request))
            figures = {name: 1 + sum(each[name] for each in request.charges) for name in FIGURES}
            self._settle(request_id, row | figures, {})
        assert (self.store.leases(), self.store.names("r:*")) == ({}, set())
        for limit_id in LIMITS:
            stored = self.store.counters(limit_id)
            assert (limit_id, stored.get("h", 0), stored.get("ph", 0)) == (limit_id, 0, 0)
        for name in self.model.accounts:
            assert self.store.in_flight(name) == 0
        self.store.client.close()


def attempts_of(request: Request) -> list[dict[str, Any]]:
    """Return the attempts of its row: those that were charged, and the one that runs."""
    return [*request.charges, *([{"account": request.account}] if request.account else [])]


def shares_of(bounds: Mapping[str, int], estimated: float, beyond: float) -> dict[str, int]:
    """Return figures of a row, at most *bounds*: estimates, and what may be billed beyond them."""
    figures = {name: int(bounds.get(name, 0) * estimated) for name in CHARGED}
    rest = {f"unreported_{name}": int((bounds.get(name, 0) - n) * beyond) for name, n in figures.items()}
    return figures | rest


def sums(rows: list[dict[str, Any]], start: Callable[[dict[str, Any]], int]) -> dict[tuple[Any, str], int]:
    """Return the totals of *rows* by start and account; a failed attempt counts for its own account."""
    totals: Tally[tuple[Any, str]] = Tally()
    for row in rows:
        corrects = row["source"] == "corrected"
        found = [] if corrects else row.get("charges") or row.get("attempts") or []
        attempts = [each for each in found if "input_tokens" in each]

        def add(account: str, name: str, amount: int, row: dict[str, Any] = row) -> None:
            totals[start(row) // 1000, f"{row['key']}|{account}|{row['model']}|{name}"] += amount

        for name in FIGURES:
            add(row["account"], name, row.get(name, 0) - sum(each[name] for each in attempts))
            for each in attempts:
                add(each["account"], name, each[name])
        if corrects:  # an expired lease was an error
            add(row["account"], "errors", -int(row["status"] < 400))
        else:
            add(row["account"], "requests", 1)
            add(row["account"], "errors", int(row["status"] >= 400))
    return nonzero(totals)


def nonzero(totals: Mapping[tuple[Any, str], int]) -> dict[tuple[Any, str], int]:
    return {name: total for name, total in totals.items() if total}


@pytest.mark.timeout(120)
def test_store_does_what_the_model_does(redis_url: str) -> None:
    class Machine(StoreMachine):
        url = redis_url

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=50,
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


STEPS = {"admit": 6, "report": 7, "settle": 4, "renew": 1, "wait": 3, "other": 1}  # and how often each comes


def random_run(machine: StoreMachine, chance: random.Random, steps: int) -> dict[str, int]:
    """Make *steps*, mostly of requests and their attempts; return what happened how often."""
    machine.begin(policy=chance.choice(["balanced", "round_robin", "least_loaded", "ordered"]))
    for limit_id in LIMITS:  # or they are soon used up
        machine.edit_limit(limit_id=limit_id, most=chance.choice([400, 2000, 10**6]))
    for name in ACCOUNTS:
        machine.put_account(name=name, cap=4)
    running: list[str] = []
    ended: list[str] = []
    for _ in range(steps):
        (what,) = chance.choices(list(STEPS), list(STEPS.values()))
        if what == "admit":
            _admit(machine, chance, running)
        elif what == "report" and running:
            _report(machine, chance, chance.choice(running))
        elif what == "settle" and running:
            _settle(machine, chance, running.pop(chance.randrange(len(running))), ended)
        elif what == "renew":
            machine.renew(request_ids=chance.sample([*running, *ended], min(3, len(running) + len(ended))))
        elif what == "wait":
            machine.wait(by_ms=chance.choice([1, 300, 7000, 7000, TTL_MS, -1]))
        elif what == "other":
            _other(machine, chance, ended)
        machine.limits_hold()
        machine.counters_are_those_of_the_model()
    machine.slots_are_open_leases()
    machine.accounts_are_those_of_the_model()
    machine.check_ledger()
    corrected = sum(row[1] == "corrected" for row in machine.model.rows)
    machine.teardown()
    return {
        "charged": machine.charged,
        "rows": len(machine.model.rows),
        "corrected": corrected,
    }


def _admit(machine: StoreMachine, chance: random.Random, running: list[str]) -> None:
    admitted = machine.admit(
        key=chance.choice(list(KEYS)),
        model=chance.choice(MODELS),
        tokens=(chance.randrange(40), chance.randrange(40)),
        cost=chance.randrange(60),
        likely=chance.random(),
        unenforced=chance.choice([0, 1, 2, 3]),
        affinity=chance.choice(["", "x", "y"]),
    )
    if isinstance(admitted, str):
        running.append(admitted)


def _report(machine: StoreMachine, chance: random.Random, request_id: str) -> None:
    machine.report(
        request_id=request_id,
        mark=chance.choice(MILD),
        again=chance.random() < 0.8,
        may_wait=chance.random() < 0.5,
        stale=chance.random() < 0.1,
        charged=(chance.random(), chance.random()) if chance.random() < 0.6 else None,
    )


def _settle(machine: StoreMachine, chance: random.Random, request_id: str, ended: list[str]) -> None:
    at_bound = chance.random() < 0.2
    share, beyond = chance.random(), chance.random()
    mark = chance.choice(MILD)
    machine.settle(request_id=request_id, share=share, beyond=beyond, at_bound=at_bound, mark=mark)
    ended.append(request_id)


def _other(machine: StoreMachine, chance: random.Random, ended: list[str]) -> None:
    what = chance.randrange(6)
    if what == 5:
        machine.move(key=chance.choice(list(KEYS)), team=chance.choice(["", *TEAMS]))
    elif what == 0:
        machine.edit_limit(limit_id=chance.choice(list(LIMITS)), most=chance.choice([50, 400, 2000, 10**6]))
    elif what == 1:
        machine.trust_again(name=chance.choice(list(ACCOUNTS)))
    elif what == 2 and ended:
        machine.settle_again(request_id=chance.choice(ended), mark={})
    elif what == 3:
        machine.wait_for_boundary(
            span=chance.choice(["hour", "hour", "day"]), off_ms=chance.choice([-1, 0, 1])
        )
    else:
        for name in ACCOUNTS:
            machine.set_account_state(name=name, new_state="active")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(4))
def test_attempts_and_their_charges(redis_url: str, seed: int) -> None:
    """Long random sequences of requests: charged attempts, reservations, expired leases, late settlements."""

    class Machine(StoreMachine):
        url = redis_url

    happened = random_run(Machine(), random.Random(seed), 300)

    # how many depends on the order in which a server lists accounts of one score
    assert happened["charged"] > 2
    assert happened["rows"] > 5
