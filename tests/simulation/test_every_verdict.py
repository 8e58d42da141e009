"""
Every row of the verdict table on the store's own clock: how long it removes an account or a model from use.

The outcomes go through the scripts as a request's do; time passes only where a test advances it.
"""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.failures import CONSEQUENCES
from app.accounts.outcomes import OK, outcome_from_error
from app.accounts.verdicts import RULES
from tests.support.store import StoreOfTest
from tests.support.verdict_cases import CASES, MODEL, OTHER_MODEL, Case

WEEK_MS = 7 * 24 * 3_600_000
# Of a spent window: from then on one request at a time tests it.
RETEST_SHARE = 0.05
TESTED = tuple(
    case for case in CASES if case.expected.state in ("suspected", "window_spent", "payment_required")
)


def named(cases: tuple[Case, ...]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[f"{case.row}-{case.name}" for case in cases])


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = StoreOfTest(redis_client)
    store.key("k")
    store.policy("ordered")
    return store


def fail_once(store: StoreOfTest, case: Case) -> dict[str, Any]:
    """Let one request fail at `a` as *case* does, and `b` answer it where another may; return the mark."""
    for name in "ab":
        store.account(name, kind=case.kind, group=ord(name))
    mark = outcome_from_error(case.rejection(), MODEL, store.now / 1000, kind=case.kind)
    rule = RULES[case.row]
    scope = CONSEQUENCES[rule.failure].scope.value
    failed = {"account": "a", "failure": rule.failure.value, "scope": scope}
    assert store.admit("q", model=MODEL)["account"] == "a"
    if case.expected.tries_another:
        other = store.report("q", 1, mark, model=MODEL, tried=["a"], never=["a"])
        assert other["account"] == "b"
        store.settle("q", OK, account="b", model=MODEL, attempts=[failed, {"account": "b"}])
    else:
        store.settle("q", mark, account="a", model=MODEL, status=400, attempts=[failed])
    for name in ("rest:a", "lacks:a"):  # they expire by the real clock, which stands for nothing here
        store.client.persist(f"pg:{{{store.pool}}}:{name}")
    return mark


def serves(store: StoreOfTest, model: str = MODEL, mark: Any = None) -> bool:
    """Return whether `a` is offered for *model* now; *mark* is how that request ends there."""
    choice = store.admit(pin="a", model=model)
    if "refused" in choice:
        return False
    store.settle(choice["id"], mark or {}, model=model)
    return True


@named(CASES)
def test_is_offered_again_in_time(store: StoreOfTest, case: Case) -> None:
    """Not before its time has passed, and from then on."""
    fail_once(store, case)
    expected, is_well = case.expected, case.expected.state == "active"

    assert store.state("a")["state"] == expected.state
    assert serves(store, OTHER_MODEL) == is_well
    assert serves(store) == (is_well and not expected.model_state)
    if expected.seconds is None:
        store.advance(WEEK_MS)
        assert not serves(store)
    elif expected.seconds:
        ends_ms = int(expected.seconds * 1000)
        if expected.state == "window_spent":
            assert int(store.state("a")["until_ms"]) == store.now + ends_ms
            ends_ms = int(RETEST_SHARE * ends_ms)
        if expected.state == "payment_required":  # no end is known but that of the next test
            assert int(store.state("a")["until_ms"]) == store.now + ends_ms
        store.advance(ends_ms - 1)
        assert not serves(store)
        store.advance(1)
        assert serves(store, mark=OK)
        check_is_well(store)


def check_is_well(store: StoreOfTest) -> None:
    state = store.state("a")
    assert (state["state"], state.get("probe", "0"), state.get("errors", "0")) == ("active", "0", "0")
    assert serves(store)
    assert serves(store, OTHER_MODEL)


@named(CASES)
def test_is_counted(store: StoreOfTest, case: Case) -> None:
    """The account's totals and the roll-ups have the attempt and its failure; nothing stays reserved."""
    fail_once(store, case)
    failure = RULES[case.row].failure
    rescued = int(case.expected.tries_another)
    is_own = CONSEQUENCES[failure].scope.value == "request" and not rescued

    state = store.state("a")
    counted = {name: int(state.get(name, 0)) for name in ("attempts", "failed_attempts", "rescues")}
    assert counted == {"attempts": 1, "failed_attempts": int(not is_own), "rescues": rescued}
    assert int(state[f"failed:{failure.value}"]) == 1
    assert int(state.get("errors", 0)) == (case.expected.state == "suspected")
    rolled = {field: total for (_, field), total in store.rolled_up("h").items()}
    assert rolled[f"k|a|{MODEL}|failed:{failure.value}"] == 1
    assert rolled.get(f"k|a|{MODEL}|rescues", 0) == rescued
    assert [store.in_flight(name) for name in "ab"] == [0, 0]
    assert store.leases() == {}


@named(TESTED)
def test_the_same_again_when_tested(store: StoreOfTest, case: Case) -> None:
    """What fails its test is out again, and other accounts serve meanwhile."""
    mark = fail_once(store, case)
    ends_ms = int((case.expected.seconds or 0) * 1000)
    store.advance(int(RETEST_SHARE * ends_ms) if case.expected.state == "window_spent" else ends_ms)

    assert serves(store, mark=mark)

    assert store.state("a")["state"] == case.expected.state
    assert not serves(store)
    assert store.admit(model=MODEL)["account"] == "b"
