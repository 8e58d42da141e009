"""Why a request went where it went, from what the scripts noted."""

from __future__ import annotations

from importlib import resources
from typing import Any

import orjson
import pytest

from app.accounts.pools import POLICY_DESCRIPTIONS
from app.errors import NotFound
from app.ledger.choices import place_of
from app.ledger.explain import RequestExplainer
from app.ledger.index import LedgerIndex
from app.stores import keys
from app.stores.api_keys import ApiKeyRepository
from app.stores.ledger import LedgerRepository
from app.stores.ledger_index import LedgerIndexRepository
from app.stores.refusals import RefusalRepository
from tests.support.ledger_rows import next_millisecond
from tests.support.store import START_MS, StoreOfTest

SCORE_AND_TEST = (
    (resources.files("app.stores") / "lua" / "policy.lua").read_text()
    + """
local result = score(ARGV[1], cjson.decode(ARGV[2]))
return { string.format('%.17g', result), is_test(result) and 1 or 0 }
"""
)
SPENT = {
    "state": "window_spent",
    "reason": "usage_limit_reached",
    "wait_ms": 3_600_000,
}
BURST = {"state": "burst_limited", "reason": "rate limit", "wait_ms": 5000}
FAILED = {"soft": True, "reason": "server_error", "base_ms": 1000, "most_ms": 20_000}


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = StoreOfTest(redis_client)
    store.key("k")
    for name in ("a", "b", "c"):
        store.account(name)
    return store


def explain(store: StoreOfTest, request_id: str, **options: Any) -> dict[str, Any]:
    """Return the explanation of *request_id*."""

    def account_names(pool: str) -> dict[str, str]:
        return {one: name for name, one in store.client.hgetall(keys.account_names(pool)).items()}

    def key_name(pool: str, key_id: str) -> str | None:
        name: str | None = store.client.hget(keys.api_key(pool, key_id), "name")
        return name

    explainer = RequestExplainer(
        LedgerRepository(store.scripts),
        ledger_index(store),
        RefusalRepository(store.scripts),
        account_names,
        key_name,
        ApiKeyRepository(store.scripts).former_names,
    )
    return explainer.explain(store.pool, request_id, **options)


def ledger_index(store: StoreOfTest) -> LedgerIndex:
    return LedgerIndex(LedgerRepository(store.scripts), LedgerIndexRepository(store.scripts))


def named(name: str | None, account_id: str | None = None) -> dict[str, Any]:
    return {"id": account_id or name, "name": name}


def test_settled(store: StoreOfTest) -> None:
    """The policy, every candidate, and the figures of the chosen account."""
    store.admit("r1", model="m")
    store.settle("r1", {"ok": True}, status=200, attempts=[{"account": "a", "wire": "chat"}])

    request = explain(store, "r1")

    assert (request["state"], request["status"], request["at"]) == ("settled", 200, START_MS / 1000)
    assert request["key"]["id"] == "k"
    (choice,) = request["choices"]
    assert (choice["account"], choice["by"], choice["policy"]) == (named("a"), "policy", "balanced")
    assert (choice["in_flight"], choice["cap"], choice["spare"]) == (1, 100, 1)
    assert choice["candidates"] == [{"account": named("a"), "score": 1, "why": "chosen"}]
    assert choice["why"] == "lowest score of the policy 'balanced'; 1 of 100 parallel requests"
    assert (choice["out"], choice["tries"]) == (
        [],
        [{"attempt": 1, "wire": "chat", "outcome": "a answered over its chat API."}],
    )


def test_one_that_has_failed_its_test(store: StoreOfTest) -> None:
    """It comes last, and serves where no other account is available."""
    store.account("a", models=("m",))
    store.scripts.run("observe_account", store.pool, b'{"account": "a", "unanswered": "credential"}')
    store.remove("c")
    store.admit("r1")
    store.set_state("b", "paused")
    store.admit("r2")

    (choice,) = explain(store, "r1")["choices"]
    why = "has failed and not answered since, so it comes last"
    assert {"account": named("a"), "score": None, "why": why} in choice["candidates"]
    (choice,) = explain(store, "r2")["choices"]
    assert choice["candidates"] == [{"account": named("a"), "score": None, "why": "chosen"}]
    assert choice["why"] == (
        "no other account was available; this one has failed and not answered since; "
        "1 of 100 parallel requests"
    )


def test_the_requested_model(store: StoreOfTest) -> None:
    """The name that the client sent is shown where another model served."""
    store.admit("r1", model="m")
    assert explain(store, "r1")["requested_model"] is None
    store.settle("r1", status=200, asked="fast")

    request = explain(store, "r1")
    assert (request["model"], request["requested_model"]) == ("m", "fast")


def test_another_model_answered(store: StoreOfTest) -> None:
    """The first model failed, the next did not admit the request, and the third answered."""
    for request_id, status in (("req_1", 500), ("req_1-2", 200), ("req_10", 500)):
        store.admit(request_id)
        store.settle(request_id, status=status)

    first = explain(store, "req_1")
    assert first["continued_as"] == "req_1-2"
    outcome = (
        "It failed at this model with status 500 (Internal Server Error); then m answered it, as req_1-2."
    )
    assert (first["outcome"], first["answered_by"]) == (outcome, {"id": "req_1-2", "model": "m"})
    answered = explain(store, "req_1-2")
    assert (answered["continued_as"], answered["status"]) == (None, 200)
    assert (answered["continues"], first["continues"]) == ("req_1", None)
    assert answered["outcome"].startswith("It failed at another model before, as req_1. The caller received")
    assert explain(store, "req_1-1") == answered
    assert explain(store, "req_10")["continued_as"] is None


def test_the_second_round(store: StoreOfTest) -> None:
    """The first model was tried again after the one that follows it: what ended first came before."""
    store.admit("req_1-1")
    store.settle("req_1-1", status=500, error="server_error")
    store.admit("req_1")

    assert explain(store, "req_1")["continues"] == "req_1-1"
    next_millisecond(store.client)
    store.settle("req_1", status=200, fallback_of="req_1-1")

    failed, answered = explain(store, "req_1-1"), explain(store, "req_1")
    assert (failed["continues"], failed["continued_as"]) == (None, "req_1")
    assert failed["answered_by"] == {"id": "req_1", "model": "m"}
    assert (answered["continues"], answered["continued_as"]) == ("req_1-1", None)


def test_no_model_answered(store: StoreOfTest) -> None:
    """A failure leads to the next one, and for as long as there is a row, to the one before."""
    for request_id, more in (("req_1", {}), ("req_1-1", {"fallback_of": "req_1"})):
        store.admit(request_id)
        store.settle(request_id, status=500, error="server_error", **more)

    first = explain(store, "req_1")
    assert first["outcome"] == (
        "It failed at this model with status 500 (server_error), and was tried at another model as req_1-1."
    )
    assert first["answered_by"] is None
    store.client.delete(keys.settled(store.pool, "req_1"))
    last = explain(store, "req_1-1")
    assert last["continues"] == "req_1"
    assert last["outcome"] == (
        "It failed at another model before, as req_1. It failed here with status 500 (server_error); the "
        "caller received the error of the first model."
    )


def test_its_first_model_did_not_admit_it(store: StoreOfTest) -> None:
    """The id that the caller received leads to the model that did."""
    store.admit("req_1-1")
    store.settle("req_1-1", status=200)

    assert explain(store, "req_1")["id"] == "req_1-1"
    with pytest.raises(NotFound):
        explain(store, "req_1-3")
    with pytest.raises(NotFound):
        explain(store, "req_" + "9" * 500)


@pytest.mark.parametrize("is_indexed", [False, True])
def test_its_first_model_did_not_admit_it_long_ago(store: StoreOfTest, is_indexed: bool) -> None:
    """Its entry is found as others are; a failure at the model in between is linked."""
    for number in (1, 2):
        more = {"fallback_of": "req_1-1"} if number == 2 else {}
        store.settle(store.admit(f"req_1-{number}")["id"], status=200, **more)
        store.client.delete(keys.settled(store.pool, f"req_1-{number}"))
    store.settle(store.admit()["id"])
    if is_indexed:
        ledger_index(store).extend(store.pool, 3)

    found = explain(store, "req_1")
    assert (found["id"], found["continues"]) == ("req_1-2", "req_1-1")
    with pytest.raises(NotFound):
        explain(store, "req_1-2-1")
    with pytest.raises(NotFound):
        explain(store, "req_1-3")


@pytest.mark.parametrize("state", ["open", "waiting"])
def test_its_first_model_did_not_admit_it_and_it_has_not_ended(store: StoreOfTest, state: str) -> None:
    if state == "waiting":
        for account in "abc":
            store.account(account, cap=0)
    store.admit("req_1-2", wait=10)

    found = explain(store, "req_1")

    assert (found["id"], found["state"]) == ("req_1-2", state)


class TestWaitAfterAFailure:
    """It holds no account, so it does not run: its place is shown, if it has one."""

    def test_for_a_busy_account(self, store: StoreOfTest) -> None:
        for name in "bc":
            store.account(name, cap=0)
        for request_id in ("r1", "r2"):
            store.admit(request_id)
            store.report(request_id, 1, FAILED, tried=["a"], never=["a"], may_wait=True, wait=10)

        first, second = explain(store, "r1"), explain(store, "r2")

        assert [(one["state"], one["before"]) for one in (first, second)] == [("waiting", 0), ("waiting", 1)]
        assert second["outcome"] == "It waits for an account; 1 other waits before it."
        choice, waits = second["choices"]
        failed = "The attempt at a failed; details are recorded when the request ends."
        assert (choice["outcome"], waits["why"]) == (failed, "no account was available")

    def test_for_a_resting_account(self, store: StoreOfTest) -> None:
        """It is in no queue."""
        store.remove("b")
        store.remove("c")
        store.admit("r1")
        store.report("r1", 1, BURST, tried=["a"], never=[])

        request = explain(store, "r1")

        assert (request["state"], request["before"]) == ("waiting", None)
        assert request["outcome"] == "It has no account now: it waits until one is available again, or ends."

    def test_a_stored_response_does_not_wait(self, store: StoreOfTest) -> None:
        store.admit("r1", stored=True)

        assert explain(store, "r1")["state"] == "open"

    def test_expired(self, store: StoreOfTest) -> None:
        store.remove("b")
        store.remove("c")
        store.admit("r1")
        store.report("r1", 1, BURST, tried=["a"], never=[])
        store.advance(70_000)
        store.renew()

        assert explain(store, "r1")["state"] == "expired"


def test_how_long_it_waited_for_an_account(store: StoreOfTest) -> None:
    store.admit("r1")
    store.admit("r2")
    assert explain(store, "r1")["queued_ms"] is None
    store.settle("r1", status=200, queued_ms=3200)
    store.settle("r2", status=200)

    waited, not_waited = (explain(store, request) for request in ("r1", "r2"))
    assert (waited["queued_ms"], waited["at"]) == (3200, START_MS / 1000 - 3.2)
    assert (not_waited["queued_ms"], not_waited["at"]) == (None, START_MS / 1000)


@pytest.mark.parametrize("is_expired", [False, True])
def test_the_arrival_of_an_open_request_that_waited(store: StoreOfTest, is_expired: bool) -> None:
    for name in ("a", "b", "c"):
        store.set_state(name, "paused")
    store.admit("r1", wait=10)
    store.advance(2000)
    store.set_state("a", "active")
    store.admit("r1", wait=10)
    if is_expired:
        store.advance(60_000)
        store.admit()
        store.client.delete(keys.request(store.pool, "r1"))

    request = explain(store, "r1")

    assert (request["at"], request["queued_ms"]) == (START_MS / 1000, 2000)


def test_an_account_that_is_tried_again(store: StoreOfTest) -> None:
    """Each decision lists an account once, and each attempt has a number of its own."""
    store.remove("c")
    first = store.admit("r1", affinity="talk")["account"]
    second = store.report("r1", 1, {}, affinity="talk", tried=[first])["account"]
    again = store.report("r1", 2, {}, affinity="talk", tried=[first, second], never=[])["account"]
    failed = {"wire": "chat", "error": None, "failure": "server_error", "action": "other"}
    store.settle(
        "r1",
        status=500,
        error="upstream_error",
        attempts=[{"account": one, **failed} for one in (first, second, again)],
    )

    choices = explain(store, "r1")["choices"]

    assert [choice["label"] for choice in choices] == ["Attempt 1", "Attempt 2", "Attempt 3"]
    assert choices[2]["by"] == "asked again"
    for choice in choices:
        names = [one["account"]["id"] for one in choice["candidates"]]
        assert len(names) == len(set(names))
        assert [one["why"] for one in choice["candidates"]].count("chosen") == 1
        assert choice["tries"][0]["outcome"]


def test_a_decision_that_names_an_account_twice(store: StoreOfTest) -> None:
    """As earlier versions stored it: the last result is that of the decision."""
    store.admit("r1")
    seen = [["a", 1, "tried"], ["b", 2, "higher score"], ["a", 1, ""]]
    decision = {
        "attempt": 1,
        "chosen": "a",
        "by": "asked again",
        "policy": "balanced",
        "now": 0,
        "seen": seen,
    }
    store.client.hset(keys.request(store.pool, "r1"), "why", orjson.dumps(decision))

    (choice,) = explain(store, "r1")["choices"]

    assert [(one["account"]["id"], one["why"][:6]) for one in choice["candidates"]] == [
        ("a", "chosen"),
        ("b", "its sc"),
    ]


def test_the_step_of_a_route_excludes_the_account_of_a_conversation(store: StoreOfTest) -> None:
    store.admit("first", pin="a", affinity="talk")

    store.admit("next", affinity="talk", accounts=["b", "c"])

    (choice,) = explain(store, "next")["choices"]
    assert choice["candidates"][0]["why"] == (
        "its conversation, but not an account of this step of the model route"
    )


def test_a_choice_that_was_not_sent(store: StoreOfTest) -> None:
    """It has no number, and its outcome is stated."""
    first = store.admit("r1")["account"]
    second = store.report("r1", 1, FAILED, tried=[first])["account"]
    failed = {"account": first, "wire": "chat", "failure": "server_error", "action": "other"}
    store.settle("r1", account=second, status=499, error="client_gone", attempts=[failed])

    _, unsent = explain(store, "r1")["choices"]

    assert (unsent["attempt"], unsent["label"], unsent["tries"]) == (None, "No attempt", [])
    assert unsent["outcome"].startswith(f"Nothing was sent to {second}")


def test_the_team(store: StoreOfTest) -> None:
    """That of the key when the request was admitted."""
    store.team("red")
    store.key("k", team="red")
    store.admit("r1")
    assert explain(store, "r1")["team"] == "red"
    store.key("k", team="")
    store.settle("r1")

    assert explain(store, "r1")["team"] == "red"
    store.admit("r2")
    assert explain(store, "r2")["team"] is None


def test_what_it_used(store: StoreOfTest) -> None:
    store.admit("r1")
    assert explain(store, "r1")["usage"] == {}
    store.settle("r1", status=200, input_tokens=5, output_tokens=7, cost=11)

    assert explain(store, "r1")["usage"] == {
        "source": "upstream",
        "input_tokens": 5,
        "output_tokens": 7,
        "cost": 11,
    }


def test_its_place_is_known(store: StoreOfTest) -> None:
    """With the position no other entry is read; without it no more than necessary."""
    for name in ("r1", "r2"):
        store.admit(name)
        store.settle(name, status=200)
        store.client.delete(keys.settled(store.pool, name))
    (first, _), _ = store.client.xrange(keys.ledger(store.pool))

    assert explain(store, "r1", entry_id=first, max_entries=0)["state"] == "settled"
    with pytest.raises(NotFound):
        explain(store, "r2", entry_id=first, max_entries=0)
    with pytest.raises(NotFound):
        explain(store, "r1", max_entries=0)
    assert explain(store, "r1", max_entries=10)["state"] == "settled"


def test_accounts_that_were_out(store: StoreOfTest) -> None:
    """As they were when it was decided, not as they are now; those that are due first come first."""
    store.admit("x", pin="b")
    store.report("x", 1, SPENT, tried=["b"])
    store.set_state("c", "paused")
    store.admit("r1")
    store.set_state("c", "active")

    (choice,) = explain(store, "r1")["choices"]

    until = START_MS / 1000 + 3600
    assert choice["out"] == [
        {"account": named("b"), "state": "window_spent", "reason": "usage_limit_reached", "until": until},
        {"account": named("c"), "state": "paused", "reason": "by a test", "until": None},
    ]


def test_no_more_than_sixteen_of_them(store: StoreOfTest) -> None:
    for number in range(20):
        store.account(f"out{number}")
        store.set_state(f"out{number}", "paused")
    store.admit("r1")

    assert len(explain(store, "r1")["choices"][0]["out"]) == 16


def test_every_attempt_with_what_became_of_it(store: StoreOfTest) -> None:
    """A refused credential that was renewed is the same choice tried twice."""
    first = store.admit("r1")["account"]
    second = store.report("r1", 1, FAILED, tried=[first])["account"]
    refused = {"wire": "chat", "error": "expired", "failure": "credential", "action": "other_only"}
    failed = {"wire": "chat", "error": None, "failure": "server_error", "action": "other"}
    tries = [{"account": first, **refused}, {"account": first, **failed}, {"account": second, "wire": "chat"}]
    store.settle("r1", account=second, attempts=tries)

    before, after = explain(store, "r1")["choices"]

    name = after["account"]["name"]
    assert [one.pop("outcome") for one in before["tries"]] == [
        f"{first} refused its credential (expired). Its credential was renewed and it was tried again.",
        f"{first} answered with a server error. The next attempt went to {name}.",
    ]
    assert before["tries"] == [{"attempt": 1, **refused}, {"attempt": 2, **failed}]
    outcome = f"{name} answered over its chat API."
    assert after["tries"] == [{"attempt": 3, "wire": "chat", "outcome": outcome}]
    assert [(each["attempt"], each["label"]) for each in (before, after)] == [
        (1, "Attempts 1 to 2"),
        (3, "Attempt 3"),
    ]
    assert [one["account"]["name"] for one in after["out"]] == [first]
    assert after["out"][0]["state"] == "suspected"


def test_affinity(store: StoreOfTest) -> None:
    home = store.admit(affinity="talk")["account"]
    store.admit("r1", affinity="talk")

    (choice,) = explain(store, "r1")["choices"]

    assert (choice["by"], choice["account"]) == ("affinity", named(home))


def test_no_account_left(store: StoreOfTest) -> None:
    for name in ("b", "c"):
        store.set_state(name, "paused")
    store.admit("r1")
    store.report("r1", 1, {}, tried=["a"])

    request = explain(store, "r1")

    assert request["state"] == "waiting"
    assert request["choices"][1]["account"] is None
    assert request["choices"][1]["candidates"][0]["why"] == "already tried for this request"


def test_the_requested_model_while_it_is_open(store: StoreOfTest) -> None:
    """Of an open request, of one whose lease expired, and of its charge."""
    store.admit("r1", requested="fast")
    requested = [explain(store, "r1")["requested_model"]]
    store.advance(60_000)
    store.admit()
    requested.append(explain(store, "r1")["requested_model"])
    store.client.delete(keys.request(store.pool, "r1"))
    requested.append(explain(store, "r1")["requested_model"])

    assert requested == ["fast"] * 3


def test_worker_that_never_came_back(store: StoreOfTest) -> None:
    store.admit("r1")
    store.advance(60_000)
    store.admit()

    assert explain(store, "r1")["state"] == "expired"
    store.client.delete(keys.request(store.pool, "r1"))
    assert len(explain(store, "r1")["choices"]) == 1


def test_found_long_after(store: StoreOfTest) -> None:
    """When the store no longer remembers where the row is, the ledger is searched."""
    for number in range(1200):
        store.client.xadd(keys.ledger(store.pool), {"row": f'{{"id":"other{number}"}}', "why": "[]"})
        if number == 100:
            store.settle(store.admit("r1")["id"])
    store.client.delete(keys.settled(store.pool, "r1"))

    assert explain(store, "r1")["id"] == "r1"


def test_found_by_the_index(store: StoreOfTest) -> None:
    """However many entries came after it; a missing block is scanned."""
    store.settle(store.admit("r1")["id"])
    for number in range(20):
        store.client.xadd(keys.ledger(store.pool), {"row": f'{{"id":"other{number}"}}', "why": "[]"})
    store.client.delete(keys.settled(store.pool, "r1"))
    index = ledger_index(store)
    assert index.extend(store.pool, 5) == 4

    assert explain(store, "r1", max_entries=1)["id"] == "r1"
    with pytest.raises(NotFound):
        explain(store, "r2", max_entries=1)

    store.client.delete(keys.index_block(store.pool, index.blocks(store.pool)[0].name))
    assert explain(store, "r1")["id"] == "r1"


def test_removed_account(store: StoreOfTest) -> None:
    chosen = store.admit("r1")["account"]
    store.remove(chosen)

    (choice,) = explain(store, "r1")["choices"]
    assert choice["account"] == {"id": chosen, "name": None, "former_name": chosen}
    store.client.delete(keys.former_names(store.pool))
    (choice,) = explain(store, "r1")["choices"]
    assert choice["account"] == named(None, chosen)


def test_removed_key(store: StoreOfTest) -> None:
    store.admit("r1")
    store.settle("r1", {"ok": True}, status=200)
    store.scripts.run("remove_key", store.pool, "k")

    assert explain(store, "r1")["key"] == {"id": "k", "name": None, "former_name": "k"}


def test_unknown(store: StoreOfTest) -> None:
    with pytest.raises(NotFound, match="no request 'nope'"):
        explain(store, "nope")


@pytest.mark.parametrize(
    ("happened", "why"),
    [
        (lambda store: [store.admit(pin="a") for _ in range(100)], "full"),
        (lambda store: store.set_state("a", "paused"), "paused"),
        (lambda store: store.remove("a"), "removed"),
        (lambda store: store.key("k", accounts=("b", "c")), "not for this key"),
        (lambda store: store.account("a", models=("other",)), "does not fit"),
    ],
)
def test_conversation_that_moved(store: StoreOfTest, happened: Any, why: str) -> None:
    """Why the account that had it did not get its next turn."""
    store.admit("first", pin="a", affinity="talk")
    happened(store)

    store.admit("next", affinity="talk")

    (choice,) = explain(store, "next")["choices"]
    assert choice["account"] != named("a")
    home = choice["candidates"][0]
    assert (home["account"]["id"], home["score"]) == ("a", None)
    assert home["why"] == f"its conversation, but {why}"


@pytest.mark.parametrize("policy", ["balanced", "ordered"])
def test_an_account_whose_test_was_due(store: StoreOfTest, policy: str) -> None:
    """It goes first in its group, whatever its numbers are: no score is shown for it."""
    store.account("a", group=1)
    store.account("b", group=1)
    store.set_state("c", "paused")
    store.policy(policy)
    for name in ("a", "b"):
        store.settle(
            store.admit(pin=name)["id"], {"state": "window_spent", "reason": "x", "wait_ms": 600_000}
        )
    store.advance(30_000)

    store.admit("r1")

    (choice,) = explain(store, "r1")["choices"]
    assert [each["score"] for each in choice["candidates"]] == [None] * len(choice["candidates"])
    assert choice["candidates"][0]["why"] in ("chosen", "being tested")
    assert choice["why"] == "it was due to be tested again, and goes first; 1 of 1 parallel requests"


@pytest.mark.parametrize("policy", POLICY_DESCRIPTIONS)
def test_scores_are_read_as_they_are_made(redis_client: Any, policy: str) -> None:
    """The place that a score of `policy.lua` stands for is the one that its account has."""
    numbers = {"pass": 12.5, "in_flight": 3, "weight": 7, "spare": 0.5, "reset_ms": START_MS}
    for group in (0, 1, 5):
        for state, place in (({}, "policy"), ({"probe": True}, "test"), ({"unproven": True}, "last")):
            account = orjson.dumps(numbers | {"group": group} | state)
            scored = redis_client.eval(SCORE_AND_TEST, 0, policy, account)

            assert place_of(float(scored[0]), {"policy": policy}) == place, (group, state)
            assert bool(scored[1]) == (place == "test")
