"""An admission whose reply was lost is cancelled: it holds nothing, and costs nothing."""

from __future__ import annotations

import pytest

from app.stores import keys
from tests.support.store import TTL_MS, StoreOfTest, limit

LIMITS = (
    limit("minute", "total_tokens", "minute", 1000),
    limit("day", "output_tokens", "day", 1000),
    limit("ever", "cost", "ever", 1000),
    limit("parallel", "parallel_requests", "none", 2),
)
AMOUNTS = {"input_tokens": 5, "output_tokens": 50, "cost": 7}


@pytest.fixture
def store(store: StoreOfTest) -> StoreOfTest:
    store.account("a", cap=1)
    store.key("k", *LIMITS)
    return store


def cancel(store: StoreOfTest, request_id: str, conversation: str = "") -> str:
    result: str = store.scripts.run("cancel_admission", store.pool, request_id, conversation)
    return result


def amounts(store: StoreOfTest) -> dict[str, tuple[int, int]]:
    """Return {limit: (settled or not yet drained, held)}."""
    counters = {each["id"]: store.counters(each["id"]) for each in LIMITS}
    return {name: (each.get("s", each.get("q", 0)), each.get("h", 0)) for name, each in counters.items()}


NOTHING = {each["id"]: (0, 0) for each in LIMITS}


def test_everything_is_released(store: StoreOfTest) -> None:
    held = store.admit(**AMOUNTS)["id"]
    assert all(amount[1] for amount in amounts(store).values())

    assert cancel(store, held) == "cancelled"

    assert amounts(store) == NOTHING
    assert (store.in_flight("a"), store.leases(), store.rows(), store.used("k")) == (0, {}, [], {})
    assert not store.open_request(held)
    assert "account" in store.admit(**AMOUNTS)


def test_once(store: StoreOfTest) -> None:
    held = store.admit(**AMOUNTS)["id"]
    cancel(store, held)
    other = store.admit(**AMOUNTS)["id"]

    assert cancel(store, held) == ""

    assert list(store.leases()) == [other]
    assert store.in_flight("a") == 1
    assert amounts(store)["day"] == (0, 50)


def test_an_account_is_not_blamed(store: StoreOfTest) -> None:
    before = store.state("a")
    cancel(store, store.admit(**AMOUNTS)["id"])

    after = store.state("a")
    assert {name: after.get(name) for name in ("state", "errors", "attempts", "streak", "in_flight")} == {
        name: before.get(name) for name in ("state", "errors", "attempts", "streak", "in_flight")
    }


def test_a_request_that_was_never_admitted(store: StoreOfTest) -> None:
    assert cancel(store, "unknown") == ""

    assert amounts(store) == NOTHING
    assert (store.rows(), store.leases()) == ([], {})


def test_an_admission_that_is_executed_later_is_refused(store: StoreOfTest) -> None:
    """A command that was given up may be executed after its cancellation."""
    cancel(store, "q")

    assert store.admit("q", **AMOUNTS)["refused"] == "settled"
    assert amounts(store) == NOTHING


def test_an_admission_that_is_repeated_later_is_refused(store: StoreOfTest) -> None:
    held = store.admit(**AMOUNTS)["id"]
    cancel(store, held)

    assert store.admit(held, **AMOUNTS)["refused"] == "settled"


def test_a_settled_request_stays_settled(store: StoreOfTest) -> None:
    held = store.admit(**AMOUNTS)["id"]
    store.settle(held, input_tokens=5, output_tokens=9, cost=1)

    assert cancel(store, held) == ""
    assert amounts(store)["day"] == (9, 0)
    assert len(store.rows()) == 1


def test_the_charge_of_an_expired_lease_is_taken_back(store: StoreOfTest) -> None:
    """The store was away for longer than the lease lasts."""
    held = store.admit(**AMOUNTS)["id"]
    store.advance(TTL_MS)
    store.renew()
    assert amounts(store)["day"] == (50, 0)

    assert cancel(store, held) == "corrected"
    assert cancel(store, held) == ""

    assert amounts(store)["day"] == amounts(store)["ever"] == amounts(store)["parallel"] == (0, 0)
    expired, corrected = store.rows()
    assert (expired["error"], expired["output_tokens"]) == ("lease_expired", 50)
    assert (corrected["source"], corrected["status"], corrected["output_tokens"]) == ("corrected", 503, -50)
    assert store.used("k") | {"input_tokens": 0, "output_tokens": 0, "cost": 0} == store.used("k")
    assert store.in_flight("a") == 0


def test_the_correction_has_the_owner_and_labels_of_the_charge(store: StoreOfTest) -> None:
    """Else the sums of a label or an owner would retain the charge."""
    store.key("k", *LIMITS, owner="ann", labels='{"team": "red"}')
    held = store.admit(**AMOUNTS)["id"]
    store.advance(TTL_MS)
    store.renew()
    cancel(store, held)

    assert [(row["owner"], row["labels"], row["cost"]) for row in store.rows()] == [
        ("ann", {"team": "red"}, 7),
        ("ann", {"team": "red"}, -7),
    ]


def test_a_place_in_the_queue_is_given_up(store: StoreOfTest) -> None:
    store.admit(**AMOUNTS)
    waiting = store.admit("waits", wait=10, **AMOUNTS)
    assert waiting["queued"] == 0

    cancel(store, "waits")

    assert not store.client.hexists(keys.queue_places(store.pool), "waits")


@pytest.mark.parametrize("holder", ["k", "other"])
def test_the_claim_on_a_conversation(store: StoreOfTest, holder: str) -> None:
    """That of this admission ends; that of another key stays."""
    held = store.admit(conversation="c", **AMOUNTS)["id"]
    claim = f"{keys.root(store.pool)}conv:c"
    assert store.client.get(claim) == "k"
    store.client.set(claim, holder, keepttl=True)

    cancel(store, held, "c")

    assert store.client.exists(claim) == (holder == "other")
