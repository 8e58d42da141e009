"""The refusal log: bounded, written in batches, and read back by key, code and hour."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from structlog.testing import capture_logs

from app.errors import StoreUnavailable
from app.ledger.refusal_log import LATEST_SECONDS, MAX_ENTRIES, MAX_GROUPS, MAX_UNREAD_GROUPS, RefusalLog
from app.stores import keys
from app.stores.records.refusals import RefusalBatch, RefusalGroup, RefusedRequest
from app.stores.refusals import RefusalRepository
from app.stores.scripts import Scripts

POOL = "p"
PRESENTED = f"sk-pg-{POOL}-{'x' * 43}"


def refusal(number: int = 0, **more: Any) -> RefusedRequest:
    fields: dict[str, Any] = {
        "at_ms": round(time.time() * 1000),
        "pool": POOL,
        "key": "key_1",
        "code": "rate_limit_exceeded",
    } | more
    return RefusedRequest(id=f"req_{number}", model="m", endpoint="/v1/x", status=429, message="No", **fields)


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    for key in ("key_1", "key_2"):
        redis_client.hset(keys.api_key(POOL, key), "name", key)
    redis_client.set(keys.secret(POOL, hashlib.sha256(PRESENTED.encode()).hexdigest()), "key_2")
    return Scripts(redis_client)


@pytest.fixture
def repository(redis_client: Any) -> RefusalRepository:
    return RefusalRepository(Scripts(redis_client))


def write(scripts: Scripts, *refusals: RefusedRequest) -> None:
    log = RefusalLog(RefusalRepository(scripts))
    for one in refusals:
        log.add(one)
    log.flush()


def test_counted_by_key_and_code(scripts: Scripts, repository: RefusalRepository) -> None:
    write(scripts, refusal(1), refusal(2, key="key_2"), refusal(3, code="model_not_allowed"), refusal(4))

    found = repository.counts(POOL, "1h")
    assert found.total == 4
    assert found.by_code("key_1") == [("rate_limit_exceeded", 2), ("model_not_allowed", 1)]
    assert found.by_code() == [("rate_limit_exceeded", 3), ("model_not_allowed", 1)]
    assert [
        entry.entry.key_id for entry in repository.entries(POOL) if entry.entry.request_id == "req_2"
    ] == ["key_2"]


def test_of_one_kind_the_newest_are_retained(scripts: Scripts, repository: RefusalRepository) -> None:
    write(scripts, *(refusal(number) for number in range(50)))

    ids = [entry.entry.request_id for entry in repository.entries(POOL)]
    assert ids == [f"req_{number}" for number in range(49, 49 - MAX_ENTRIES, -1)]
    assert repository.counts(POOL, "1h").total == 50


def test_past_a_number_only_the_newest_of_each_batch(scripts: Scripts, repository: RefusalRepository) -> None:
    """One caller in a loop does not push out what happened to everyone else."""
    write(scripts, *(refusal(number) for number in range(100)))
    write(scripts, *(refusal(number) for number in range(100, 110)))

    assert len(list(repository.entries(POOL))) == MAX_ENTRIES + 1
    assert repository.find(POOL, "req_109") is not None


def test_bounded(scripts: Scripts, repository: RefusalRepository, redis_client: Any) -> None:
    """Neither codes nor keys grow an hour without end, nor the entries."""
    write(scripts, *(refusal(number, code=f"c{number}") for number in range(MAX_GROUPS)))
    write(scripts, *(refusal(number, code=f"d{number}") for number in range(MAX_GROUPS)))
    write(scripts, *(refusal(number, key=f"key_{1 + number % 2}", code="late") for number in range(6)))

    (hour,) = redis_client.keys(keys.refused(POOL, 0)[:-1] + "*")
    assert redis_client.hget(hour, "*|late") == "6"
    assert redis_client.hlen(hour) == 2001
    assert len(list(repository.entries(POOL))) == 500
    assert 0 < redis_client.ttl(hour) <= 31 * 86400
    assert 0 < redis_client.ttl(keys.refusals(POOL)) <= 31 * 86400


def test_a_batch_counts_once(scripts: Scripts, repository: RefusalRepository) -> None:
    """A reply may be lost after the script has run; then it runs again, at once or after the next batch."""
    batches = [
        RefusalBatch("w", number, [RefusalGroup("key_1", "", "c", 2, 0, False, [], {})]) for number in (1, 2)
    ]
    for batch in (batches[0], *batches, batches[0]):
        repository.record(POOL, batch, 0)

    assert repository.counts(POOL, "1h").total == 4


def test_only_keys_that_exist(scripts: Scripts, redis_client: Any) -> None:
    """Callers without a key of the pool cause no write at all."""
    before = set(redis_client.keys("*"))
    write(
        scripts,
        refusal(key="key_gone"),
        refusal(pool="", key="", presented=f"sk-pg-{POOL}-{'y' * 43}"),
        refusal(pool="", key="", presented="something else"),
    )
    assert set(redis_client.keys("*")) == before


def test_odd_texts(scripts: Scripts, repository: RefusalRepository) -> None:
    """What cannot be written as JSON, or is long, is cut and cleaned."""
    write(scripts, refusal(param="\ud800" * 1000))
    (entry,) = repository.entries(POOL)
    assert entry.entry.row["param"] == "?" * 128


def test_trimmed(scripts: Scripts, repository: RefusalRepository) -> None:
    write(scripts, refusal())
    repository.trim(POOL, 1)
    assert len(list(repository.entries(POOL))) == 1
    repository.trim(POOL, 9_999_999_999)
    assert not list(repository.entries(POOL))


class Away:
    """Records what is written to it like a store that answers too late, or loses it."""

    def __init__(self, repository: RefusalRepository) -> None:
        self.is_away = True
        self.loses = False
        self._repository = repository

    def record(self, *arguments: Any) -> bool:
        is_stored = not (self.is_away and self.loses) and self._repository.record(*arguments)
        if self.is_away:
            raise StoreUnavailable("away")
        return is_stored

    def find_lost(self, *arguments: Any) -> list[int]:
        if self.is_away:
            raise StoreUnavailable("away")
        return self._repository.find_lost(*arguments)


@pytest.fixture
def away(repository: RefusalRepository) -> Away:
    return Away(repository)


@pytest.fixture
def waiting(away: Away) -> Iterator[RefusalLog]:
    """A log whose batches are written, and verified, only by the test."""
    log = RefusalLog(away)  # type: ignore[arg-type]
    yield log
    for greenlet in (log._writer, log._unconfirmed._verifier):
        if greenlet:
            gevent.kill(greenlet)


@pytest.mark.parametrize("loses", [False, True])
def test_store_away(
    scripts: Scripts, repository: RefusalRepository, away: Away, waiting: RefusalLog, loses: bool
) -> None:
    """What was refused meanwhile is counted once when the store is back, whether or not a write arrived."""
    away.loses = loses
    for number in range(3):
        waiting.add(refusal(number))
        waiting.add(refusal(10 + number, key="", presented=PRESENTED))
        waiting.flush()
    away.is_away = False
    waiting.close()

    assert repository.counts(POOL, "1h").by_code("key_1") == [("rate_limit_exceeded", 3)]
    assert repository.counts(POOL, "1h").by_code("key_2") == [("rate_limit_exceeded", 3)]
    assert len(waiting) == 0


def test_when_those_that_waited_were_refused(
    repository: RefusalRepository, away: Away, waiting: RefusalLog, scripts: Scripts
) -> None:
    """After an outage, each counts in its own second, also those of one group and of one batch."""
    now_ms = round(time.time() * 1000)
    for age_seconds in (50, 50, 30, 30, 30, 10):
        waiting.add(refusal(at_ms=now_ms - age_seconds * 1000))
        waiting.flush()
    away.is_away = False
    waiting.close()

    latest = [repository.latest_counts(POOL, now_ms - age * 1000).total() for age in (20, 40, 58)]
    assert latest == [1, 4, 6]


def test_the_seconds_of_a_group_are_bounded(away: Away, waiting: RefusalLog) -> None:
    """The newest of an hour, however long it waits."""
    for second in range(3000):
        waiting.add(refusal(at_ms=second * 1000))

    (group,) = waiting._groups.values()
    assert list(group.seconds) == [second * 1000 for second in range(3000 - LATEST_SECONDS, 3000)]


def test_a_process_that_ends_while_the_store_is_away(away: Away, waiting: RefusalLog) -> None:
    away.loses = True
    waiting.add(refusal(1))
    waiting.flush()
    waiting.add(refusal(2))

    with capture_logs() as lines:
        waiting.close()

    assert [(line["event"], line["count"]) for line in lines] == [("refusals_not_recorded", 2)]


def test_what_waits_is_bounded(away: Away, waiting: RefusalLog) -> None:
    """Keys that could not be read leave room for others: anyone can present a key."""
    away.loses = True
    for number in range(MAX_GROUPS):
        waiting.add(refusal(key="", presented=f"sk-pg-{POOL}-{number:043}"))
    waiting.flush()
    assert len(waiting) == MAX_UNREAD_GROUPS
    for number in range(MAX_GROUPS):
        waiting.add(refusal(code=f"c{number}"))
    assert len(waiting) == MAX_GROUPS


def test_hours_are_counted_apart(waiting: RefusalLog) -> None:
    waiting.add(refusal(at_ms=1))
    waiting.add(refusal(at_ms=2))
    waiting.add(refusal(at_ms=3_600_001))

    assert len(waiting) == 2


def test_another_pool_does_not_wait(repository: RefusalRepository, redis_client: Any) -> None:
    """Its part of the store may answer."""
    redis_client.hset(keys.api_key("q", "key_1"), "name", "key_1")

    class OnePoolAway:
        def record(self, pool: str, *arguments: Any) -> bool:
            if pool == POOL:
                raise StoreUnavailable("away")
            return repository.record(pool, *arguments)

    log = RefusalLog(OnePoolAway())  # type: ignore[arg-type]
    log.add(refusal())
    log.add(refusal(pool="q"))
    log.close()

    assert repository.counts("q", "1h").total == 1


class TestFailover:
    """Redis loses its last writes, although it confirmed them."""

    @pytest.fixture
    def stored(self, away: Away, redis_client: Any, scripts: Scripts) -> dict[str, bytes]:
        """What a replica has that has received nothing since."""
        away.is_away = False
        return {key: redis_client.dump(key) for key in redis_client.keys("*")}

    def fail_over(self, redis_client: Any, stored: dict[str, bytes]) -> None:
        redis_client.flushdb()
        for key, value in stored.items():
            redis_client.restore(key, 0, value)

    def test_lost_batches_are_written_again(
        self,
        repository: RefusalRepository,
        waiting: RefusalLog,
        redis_client: Any,
        stored: dict[str, bytes],
    ) -> None:
        """Once, after newer ones; the store counts nothing twice that it still has."""
        now_ms = round(time.time() * 1000)
        waiting.add(refusal(1, at_ms=now_ms - 10_000))
        waiting.flush()
        waiting.add(refusal(2))
        waiting.flush()
        self.fail_over(redis_client, stored)
        waiting.add(refusal(3))
        waiting.flush()
        waiting.verify_recent()  # too early to decide: replicas may lag behind
        assert len(waiting) == 0

        with capture_logs() as lines:
            for _ in range(3):
                waiting.verify_recent()
                waiting.flush()

        assert [(line["event"], line["count"]) for line in lines] == [("refusals_lost_in_failover", 2)]
        assert repository.counts(POOL, "1h").by_code("key_1") == [("rate_limit_exceeded", 3)]
        assert sorted(each.entry.request_id for each in repository.entries(POOL)) == [
            "req_1",
            "req_2",
            "req_3",
        ]
        assert repository.latest_counts(POOL, now_ms - 5000).total() == 2

    def test_a_store_that_is_away_is_searched_when_it_is_back(
        self,
        repository: RefusalRepository,
        away: Away,
        waiting: RefusalLog,
        redis_client: Any,
        stored: dict[str, bytes],
    ) -> None:
        waiting.add(refusal(1))
        waiting.flush()
        waiting.verify_recent()
        self.fail_over(redis_client, stored)
        away.is_away = True
        waiting.verify_recent()
        assert len(waiting) == 0
        away.is_away = False

        waiting.verify_recent()
        waiting.flush()

        assert repository.counts(POOL, "1h").total == 1

    def test_a_batch_of_strangers_is_not_searched(
        self, waiting: RefusalLog, stored: dict[str, bytes]
    ) -> None:
        """Nothing was written for it, so it would be found lost again and again."""
        waiting.add(refusal(key="key_gone"))
        waiting.flush()
        waiting.verify_recent()

        waiting.verify_recent()

        assert len(waiting) == 0

    def test_a_lost_batch_of_a_removed_key_is_dropped(
        self, waiting: RefusalLog, redis_client: Any, stored: dict[str, bytes]
    ) -> None:
        waiting.add(refusal(1))
        waiting.flush()
        waiting.verify_recent()
        redis_client.flushdb()

        for _ in range(3):
            waiting.verify_recent()
            waiting.flush()

        assert len(waiting) == 0


def test_an_old_batch_is_not_recorded_again(repository: RefusalRepository, scripts: Scripts) -> None:
    """The store knows the numbers of the newest only, and takes older ones for recorded."""
    for number in (*range(2, 103), 1, 2):
        assert repository.record(
            POOL, RefusalBatch("w", number, [RefusalGroup("key_1", "", "c", 1, 0, False, [], {})]), 0
        )

    assert repository.counts(POOL, "1h").total == 101
    assert repository.find_lost(POOL, "w", [2, 3, 102, 103]) == [2, 103]
