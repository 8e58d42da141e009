"""The queue of requests that wait for an account: its order, whom it delays, and what it leaves behind."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from app.errors import StoreRefused
from app.stores import keys
from app.stores.dump import EXCLUDED, PoolDump
from app.stores.scripts import Scripts
from tests.support.store import Json, StoreOfTest, limit

PLACE_MS = 5000
LENGTH = 100


def wait(store: StoreOfTest, request_id: str, key: str = "k", tokens: int = 1000, **more: object) -> Json:
    """Try to admit a request that waits where it is refused."""
    return store.admit(request_id, key, **{"output_tokens": tokens, "wait": LENGTH} | more)


def leave(store: StoreOfTest, request_id: str) -> None:
    store.scripts.run("leave_queue", store.pool, request_id)


def order(store: StoreOfTest) -> list[str]:
    """Return the ids of the requests that wait, the first to be admitted first."""
    places = store.client.zrange(keys.queue(store.pool), 0, -1)
    return [place.split(":", 3)[3] for place in places]


def remains(store: StoreOfTest) -> set[str]:
    return store.names("queue*") - {"queue:tags"} - store.names("queue:class:*")


@pytest.fixture
def full(store: StoreOfTest) -> StoreOfTest:
    """A pool of one account with one slot, which the request `first` occupies."""
    store.account("a", cap=1)
    for key in ("hot", "small", "heavy"):
        store.key(key)
    store.admit("first")
    return store


class TestAfterAFailedAttempt:
    """A request that was admitted before those in the queue precedes them, also after its attempt failed."""

    @pytest.fixture
    def failed(self, full: StoreOfTest) -> StoreOfTest:
        """Requests `r1` and `r2` have failed at account `b`; `q` waits for `a` since before."""
        full.account("b", cap=10)
        full.key("of-a", accounts=("a",))
        for request_id in ("r1", "r2"):
            full.admit(request_id, pin="b")
        wait(full, "q", "of-a")
        return full

    def retry(self, store: StoreOfTest, request_id: str, **more: object) -> Json:
        report = {"tried": ["b"], "may_wait": True, "wait": LENGTH, "pin": ""} | more
        return store.report(request_id, 1, **report)

    def test_precedes_those_that_wait_to_be_admitted(self, failed: StoreOfTest) -> None:
        assert [self.retry(failed, request_id)["queued"] for request_id in ("r1", "r2")] == [0, 1]
        assert order(failed) == ["r1", "r2", "q"]
        failed.settle("first")

        assert failed.admit("new", "of-a")["refused"] == "no_accounts"
        assert wait(failed, "q", "of-a")["queued"] == 2
        assert self.retry(failed, "r2")["queued"] == 1
        assert self.retry(failed, "r1")["account"] == "a"
        failed.settle("r1")
        assert self.retry(failed, "r2")["account"] == "a"
        failed.settle("r2")
        assert wait(failed, "q", "of-a")["account"] == "a"
        assert not remains(failed)

    def test_leaves_accounts_that_failed_to_others(self, failed: StoreOfTest) -> None:
        self.retry(failed, "r1")

        assert failed.admit("new")["account"] == "b"
        assert wait(failed, "waits")["account"] == "b"

    def test_its_key_is_charged_once(self, failed: StoreOfTest) -> None:
        """The order of the requests that wait to be admitted is as without it."""
        tags = failed.client.hgetall(keys.queue(failed.pool) + ":tags")
        self.retry(failed, "r1")
        failed.settle("first")
        self.retry(failed, "r1")
        after = failed.client.hgetall(keys.queue(failed.pool) + ":tags")

        assert after | {"=arrivals": tags["=arrivals"]} == tags

    def test_a_new_line_begins_behind_those_that_wait(self, failed: StoreOfTest) -> None:
        for number in range(3):
            wait(failed, f"q{number}", "of-a")
        failed.settle("first")
        for name in ("q", "q0"):
            failed.settle(wait(failed, name, "of-a")["id"])
        wait(failed, "q1", "of-a")
        self.retry(failed, "r1")

        wait(failed, "other", "heavy", model="n", accounts=["a"])

        assert order(failed) == ["r1", "q2", "other"]

    def test_leaving(self, failed: StoreOfTest) -> None:
        self.retry(failed, "r1")
        leave(failed, "r1")
        failed.settle("first")

        assert wait(failed, "q", "of-a")["account"] == "a"
        assert not remains(failed)

    def test_a_place_that_is_not_renewed_is_lost(self, failed: StoreOfTest) -> None:
        self.retry(failed, "r1")
        failed.settle("first")
        failed.advance(PLACE_MS)

        assert wait(failed, "q", "of-a")["account"] == "a"
        assert self.retry(failed, "r1")["queued"] == 0

    def test_without_a_place_where_the_queue_is_full(self, failed: StoreOfTest) -> None:
        """It replaces the last that waits to be admitted, and no one that has failed."""
        assert self.retry(failed, "r1", wait=1)["queued"] == 0
        assert order(failed) == ["r1"]
        reply = self.retry(failed, "r2", wait=1)
        assert (reply["busy"], reply.get("queued")) == (1, None)


class TestOrder:
    def test_of_one_key_is_that_of_arrival(self, full: StoreOfTest) -> None:
        assert [wait(full, f"q{n}")["queued"] for n in range(12)] == list(range(12))
        assert order(full) == [f"q{n}" for n in range(12)]

    def test_a_key_that_waits_with_many_does_not_hold_up_another(self, full: StoreOfTest) -> None:
        for n in range(5):
            wait(full, f"h{n}", "hot")

        assert wait(full, "s", "small")["queued"] == 1
        assert order(full) == ["h0", "s", "h1", "h2", "h3", "h4"]

    def test_counts_tokens(self, full: StoreOfTest) -> None:
        for n in range(2):
            wait(full, f"h{n}", "hot", tokens=3000)
        for n in range(4):
            wait(full, f"s{n}", "small", tokens=1000)

        assert order(full) == ["h0", "s0", "s1", "s2", "h1", "s3"]

    def test_counts_a_request_without_tokens_as_a_small_one(self, full: StoreOfTest) -> None:
        for n in range(3):
            wait(full, f"h{n}", "hot", tokens=0)
        for n in range(2):
            wait(full, f"s{n}", "small", tokens=100)

        assert order(full) == ["h0", "s0", "h1", "s1", "h2"]

    def test_counts_tokens_by_weight(self, full: StoreOfTest) -> None:
        full.key("heavy", weight=3)
        for n in range(2):
            wait(full, f"s{n}", "small")
        for n in range(4):
            wait(full, f"h{n}", "heavy")

        assert order(full) == ["s0", "h0", "h1", "h2", "s1", "h3"]

    def test_remembers_what_a_key_was_given(self, full: StoreOfTest) -> None:
        wait(full, "h0", "hot", tokens=5000)
        full.settle("first")
        wait(full, "h0", "hot")
        wait(full, "h1", "hot")
        wait(full, "s0", "small")

        assert order(full) == ["s0", "h1"]

    def test_forgets_it_after_a_minute(self, full: StoreOfTest) -> None:
        wait(full, "h0", "hot")
        tags = keys.queue(full.pool) + ":tags"

        assert 50_000 < full.client.pttl(tags) <= 60_000

    def test_what_follows_a_request_that_left_moves_up(self, full: StoreOfTest) -> None:
        for n in range(4):
            wait(full, f"h{n}", "hot")
        for n in range(2):
            wait(full, f"s{n}", "small")
        assert order(full) == ["h0", "s0", "h1", "s1", "h2", "h3"]
        leave(full, "h0")

        assert order(full) == ["h1", "s0", "h2", "s1", "h3"]

    def test_a_request_that_left_is_not_counted(self, full: StoreOfTest) -> None:
        for n in range(5):
            wait(full, f"h{n}", "hot")
            leave(full, f"h{n}")
        wait(full, "h", "hot")
        wait(full, "s", "small")

        assert order(full) == ["h", "s"]


class TestAdmission:
    def test_only_the_first_takes_a_slot(self, full: StoreOfTest) -> None:
        wait(full, "q0")
        wait(full, "q1")
        full.settle("first")

        assert wait(full, "q1")["refused"] == "no_accounts"
        assert wait(full, "q0")["account"] == "a"
        assert order(full) == ["q1"]

    def test_a_new_request_does_not_overtake(self, full: StoreOfTest) -> None:
        wait(full, "q0")
        full.settle("first")
        refused = full.admit("new")

        assert refused["refused"] == "no_accounts"
        assert refused["busy"] == 1
        assert [each[2] for each in refused["seen"]] == ["left to requests that wait"]
        assert wait(full, "q0")["account"] == "a"

    def test_a_new_request_of_a_key_that_used_less_does(self, full: StoreOfTest) -> None:
        wait(full, "h0", "hot")
        wait(full, "h1", "hot")
        full.settle("first")
        assert wait(full, "h0", "hot")["account"] == "a"
        wait(full, "h2", "hot")
        full.settle("h0")

        assert full.admit("s", "small")["account"] == "a"
        assert order(full) == ["h1", "h2"]

    def test_slots_for_all_who_wait_are_taken_in_any_order(self, store: StoreOfTest) -> None:
        store.account("a", cap=3)
        for n in range(3):
            store.admit(f"first{n}")
        for n in range(3):
            wait(store, f"q{n}")
        store.settle("first0")
        store.settle("first1")

        assert wait(store, "q2")["refused"] == "no_accounts"
        assert wait(store, "q1")["account"] == "a"
        assert wait(store, "q0")["account"] == "a"

    def test_without_a_queue_there_is_no_trace(self, store: StoreOfTest) -> None:
        store.account("a", cap=1)
        store.admit("first")
        store.admit("second")

        assert not store.names("queue*")

    def test_holds_nothing_while_it_waits(self, full: StoreOfTest) -> None:
        full.key("hot", limit("l", "output_tokens", "day", 10_000))
        wait(full, "q0", "hot")

        assert full.counters("l")["h"] == 0
        assert set(full.leases()) == {"first"}

    def test_limits_never_wait(self, full: StoreOfTest) -> None:
        full.key("hot", limit("l", "output_tokens", "day", 10))

        assert wait(full, "q0", "hot")["refused"] == "limit"
        assert order(full) == []

    def test_repeated(self, full: StoreOfTest) -> None:
        """A reply may be lost: the same call again changes nothing."""
        wait(full, "h", "hot")
        before = full.client.hgetall(keys.queue(full.pool) + ":tags")

        assert [wait(full, "h", "hot")["queued"] for _ in range(3)] == [0, 0, 0]
        assert full.client.hgetall(keys.queue(full.pool) + ":tags") == before
        full.settle("first")
        assert wait(full, "h", "hot")["account"] == wait(full, "h", "hot")["account"]

    def test_a_stored_response_does_not_wait(self, full: StoreOfTest) -> None:
        wait(full, "q0")

        assert full.admit("stored", stored=True, affinity="")["by"] == "stored"

    @pytest.mark.parametrize("length", [-1, 1.5, "ten", True])
    def test_odd_length(self, full: StoreOfTest, length: object) -> None:
        with pytest.raises(StoreRefused) as refused:
            wait(full, "q0", wait=length)
        assert refused.value.reason.startswith("admit: refused: wait is not what")


class TestOthers:
    """Requests that need other accounts than the waiting ones are not delayed."""

    def test_another_model(self, store: StoreOfTest) -> None:
        store.account("a", cap=1, models=("m",))
        store.account("b", cap=1, models=("n",))
        store.admit("first")
        wait(store, "q0")
        wait(store, "q1")

        assert wait(store, "other", model="n")["account"] == "b"
        store.admit("other2", model="n")
        assert order(store) == ["q0", "q1"]

    def test_another_model_at_the_same_account(self, store: StoreOfTest) -> None:
        store.account("a", cap=1, models=("m", "n"))
        store.admit("first")
        wait(store, "q0")
        store.settle("first")

        assert store.admit("other", model="n")["refused"] == "no_accounts"
        assert wait(store, "q0")["account"] == "a"

    def test_a_model_that_rests_at_the_account(self, store: StoreOfTest) -> None:
        store.account("a", cap=2, models=("m", "n"))
        store.admit("first")
        store.settle("first", {"model": "m", "why": "limited", "wait_ms": 3000})
        assert wait(store, "q0")["queued"] == 0

        assert store.admit("other", model="n")["account"] == "a"

    def test_a_key_that_may_use_another_account(self, full: StoreOfTest) -> None:
        full.account("b", cap=1)
        full.key("bound", accounts=("a",))
        full.key("free", accounts=("b",))
        wait(full, "q0", "bound")

        assert full.admit("other", "free")["account"] == "b"
        full.settle("first")
        assert full.admit("new", "small")["refused"] == "no_accounts"
        assert wait(full, "q0", "bound")["account"] == "a"

    def test_a_request_for_one_account(self, full: StoreOfTest) -> None:
        full.account("b", cap=1)
        wait(full, "q0", pin="a")

        assert full.admit("other")["account"] == "b"
        full.settle("other")
        full.settle("first")
        assert full.admit("other2")["account"] == "b"
        assert wait(full, "q0", pin="a")["account"] == "a"

    def test_an_account_whose_credential_a_process_cannot_read(self, full: StoreOfTest) -> None:
        wait(full, "q0", unreadable=["a"])
        full.settle("first")

        assert full.admit("other")["account"] == "a"


class TestLines:
    """Tokens of models that other accounts serve are not counted."""

    @pytest.fixture
    def two(self, store: StoreOfTest) -> StoreOfTest:
        """Accounts for two models; both are at their cap, and requests of `hot` wait for both."""
        store.account("a", cap=1, models=("m",))
        store.account("b", cap=1, models=("n",))
        for key in ("hot", "small"):
            store.key(key)
        store.admit("m-first")
        store.admit("n-first", model="n")
        for n in range(3):
            wait(store, f"m{n}", "hot")
        return store

    def test_of_requests_that_wait(self, two: StoreOfTest) -> None:
        last = "n-first"
        for n in range(20):
            wait(two, f"n{n}", "hot", model="n")
            two.settle(last)
            assert wait(two, f"n{n}", "hot", model="n")["account"] == "b"
            last = f"n{n}"
        wait(two, "s", "small")

        assert order(two) == ["m0", "s", "m1", "m2"]

    def test_of_requests_that_do_not(self, two: StoreOfTest) -> None:
        two.settle("n-first")
        for n in range(20):
            assert two.admit(f"n{n}", "hot", model="n", output_tokens=1000)["account"] == "b"
            two.settle(f"n{n}")
        wait(two, "s", "small")

        assert order(two) == ["m0", "s", "m1", "m2"]

    def test_a_line_begins_where_its_rivals_are(self, store: StoreOfTest) -> None:
        """Otherwise a model that had no requests would go first until it has used as many tokens."""
        store.account("a", cap=1, models=("m", "n"))
        for key in ("hot", "small"):
            store.key(key)
        last = store.admit("first")["id"]
        wait(store, "m0", "hot")
        for n in range(5):
            wait(store, f"m{n + 1}", "hot")
            store.settle(last)
            assert wait(store, f"m{n}", "hot")["account"] == "a"
            last = f"m{n}"
        for n in range(3):
            wait(store, f"n{n}", "small", model="n")

        assert order(store) == ["m5", "n0", "n1", "n2"]

    def test_many_tags_are_forgotten(self, two: StoreOfTest) -> None:
        tags = keys.queue(two.pool) + ":tags"
        two.client.hset(tags, mapping={f"k{n}:x": 1 for n in range(5000)})
        wait(two, "m3", "hot")
        wait(two, "s", "small")

        assert two.client.hlen(tags) < 10
        assert set(order(two)) == {"m0", "m1", "m2", "m3", "s"}


class TestEnd:
    def test_of_the_last(self, full: StoreOfTest) -> None:
        wait(full, "q0")
        full.settle("first")
        wait(full, "q0")

        assert not remains(full)
        assert not full.client.hexists(keys.pool(full.pool), "queue")

    def test_leaving(self, full: StoreOfTest) -> None:
        wait(full, "q0")
        wait(full, "q1")
        leave(full, "q0")
        leave(full, "q0")
        leave(full, "unknown")
        full.settle("first")

        assert wait(full, "q1")["account"] == "a"
        assert not remains(full)

    def test_a_place_that_is_not_renewed_is_lost(self, full: StoreOfTest) -> None:
        wait(full, "q0")
        full.advance(PLACE_MS - 1)
        wait(full, "q1")
        full.settle("first")
        assert full.admit("new")["refused"] == "no_accounts"
        full.advance(1)

        assert wait(full, "q1")["account"] == "a"
        assert not remains(full)

    def test_a_place_that_is_renewed_is_not(self, full: StoreOfTest) -> None:
        wait(full, "q0")
        wait(full, "q1", "hot")
        for _ in range(3):
            full.advance(PLACE_MS - 1)
            wait(full, "q1", "hot")
            wait(full, "q0")

        assert order(full) == ["q0", "q1"]

    def test_all_who_wait_are_gone(self, full: StoreOfTest) -> None:
        """If their processes were killed, the next request finds the queue empty, and removes it."""
        for n in range(150):
            wait(full, f"q{n}", wait=1000)
        full.settle("first")
        full.advance(PLACE_MS)

        replies = [full.admit(f"new{n}") for n in range(3)]
        assert any("account" in reply for reply in replies)
        assert not remains(full)

    def test_length(self, full: StoreOfTest) -> None:
        for n in range(3):
            wait(full, f"q{n}", wait=3)
        refused = wait(full, "q3", wait=3)

        assert refused["queue_full"]
        assert "queued" not in refused
        assert wait(full, "q1", wait=3)["queued"] == 1
        assert order(full) == ["q0", "q1", "q2"]

    def test_the_last_makes_room_for_a_key_that_used_less(self, full: StoreOfTest) -> None:
        for n in range(3):
            wait(full, f"h{n}", "hot", wait=3)

        assert wait(full, "s", "small", wait=3)["queued"] == 1
        assert order(full) == ["h0", "s", "h1"]
        assert wait(full, "h2", "hot", wait=3)["queue_full"]
        assert wait(full, "h1", "hot", wait=3)["queued"] == 2

    def test_a_shorter_length_removes_no_request(self, full: StoreOfTest) -> None:
        for n in range(3):
            wait(full, f"h{n}", "hot")

        assert wait(full, "s", "small", wait=2)["queue_full"]
        assert wait(full, "h2", "hot", wait=2)["queued"] == 2

    def test_everything_expires(self, full: StoreOfTest) -> None:
        wait(full, "q0")
        root = keys.root(full.pool)

        assert all(full.client.pttl(root + name) > 0 for name in full.names("queue*"))


def commands(store: StoreOfTest) -> int:
    stats = store.client.info("commandstats")
    return sum(each["calls"] for name, each in stats.items() if name != "cmdstat_info")


def test_a_try_costs_the_same_in_a_long_queue(full: StoreOfTest) -> None:
    costs = []
    for number in (10, 200):
        for n in range(number):
            wait(full, f"q{n}", wait=1000)
        before = commands(full)
        wait(full, "q5")
        costs.append(commands(full) - before)

    assert costs[0] == costs[1] < 50


def test_a_backup_does_not_contain_it(full: StoreOfTest) -> None:
    wait(full, "q0")

    names = set(PoolDump(full.scripts, full.pool).names(EXCLUDED))
    assert "leases" in names
    assert not {name for name in names if name.startswith("queue")}


@dataclass
class Queue:
    """Start-time fair queueing in plain Python, for one account."""

    cap: int
    length: int
    running: set[str] = field(default_factory=set)
    waiting: dict[str, tuple[float, int, str, float]] = field(default_factory=dict)
    finish: dict[str, float] = field(default_factory=dict)
    virtual: float = 0.0
    arrivals: int = 0

    def try_to_run(self, request_id: str, key: str, share: float, *, may_wait: bool) -> str:
        """Return what becomes of the request: it runs, waits or is refused."""
        place = self.waiting.get(request_id)
        if place:
            ahead = sum(other[:2] < place[:2] for other in self.waiting.values())
            tag = place[0]
        else:
            tag = max(self.virtual, self.finish.get(key, 0.0))
            ahead = sum(other[0] <= tag for other in self.waiting.values())
        if len(self.running) + ahead < self.cap:
            was_empty = not self.waiting
            self.waiting.pop(request_id, None)
            self.running.add(request_id)
            if place or not was_empty or may_wait:
                self.virtual = max(self.virtual, tag)
                if not place:
                    self.finish[key] = tag + share
            return "runs"
        if not may_wait:
            return "refused"
        if not place:
            if len(self.waiting) == self.length:
                last = max(self.waiting, key=lambda each: self.waiting[each][:2])
                if self.waiting[last][0] <= tag:
                    return "refused"
                self.leave(last)
            self.arrivals += 1
            self.waiting[request_id] = (tag, self.arrivals, key, share)
            self.finish[key] = tag + share
        return "waits"

    def leave(self, request_id: str) -> None:
        left = self.waiting.pop(request_id, None)
        if left is None:
            return
        _, arrival, key, share = left

        def moved_up(tag: float) -> float:
            return max(min(tag, self.virtual), tag - share)

        for other, (tag, number, other_key, other_share) in self.waiting.items():
            if other_key == key and number > arrival:
                self.waiting[other] = (moved_up(tag), number, key, other_share)
        self.finish[key] = moved_up(self.finish[key])


@pytest.mark.parametrize("seed", range(6))
def test_behaves_as_its_model(store: StoreOfTest, seed: int) -> None:
    chance = random.Random(seed)
    weights = {"x": 1, "y": 1, "z": 4}
    for key, weight in weights.items():
        store.key(key, weight=weight)
    store.account("a", cap=3)
    model = Queue(3, 12)
    requests: dict[str, tuple[str, int]] = {}
    for number in range(400):
        waiting, action = sorted(model.waiting), chance.random()
        if action < 0.25 and model.running:
            ended = chance.choice(sorted(model.running))
            store.settle(ended)
            model.running.remove(ended)
        elif action < 0.3 and waiting:
            left = chance.choice(waiting)
            leave(store, left)
            model.leave(left)
        else:
            is_new = action < 0.6 or not waiting
            request_id = f"q{number}" if is_new else chance.choice(waiting[:4] + waiting)
            key, tokens = requests.setdefault(
                request_id, (chance.choice("xxxyz"), chance.choice([0, 500, 2000]))
            )
            may_wait = not is_new or chance.random() < 0.8
            length = {"wait": model.length} if may_wait else {}
            reply = store.admit(request_id, key, output_tokens=tokens, **length)
            expected = model.try_to_run(request_id, key, max(tokens, 100) / weights[key], may_wait=may_wait)
            found = "runs" if "account" in reply else "waits" if "queued" in reply else "refused"
            assert found == expected, f"step {number}"
        assert order(store) == [
            request_id for request_id, _ in sorted(model.waiting.items(), key=lambda each: each[1][:2])
        ]
        assert store.in_flight("a") == len(model.running)


def test_scripts_without_a_queue_do_not_read_it(redis_client: object) -> None:
    assert "turn_of" not in Scripts(redis_client)._sources["settle"]
