"""What the readiness probe and `poolgate doctor` read of the store."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.stores import keys
from app.stores.health import BATCH, HealthRepository
from app.stores.records.health import JobRun
from app.stores.scripts import Scripts


@pytest.fixture
def health(redis_client: Any) -> HealthRepository:
    return HealthRepository(Scripts(redis_client))


def test_a_primary_server(health: HealthRepository) -> None:
    info = health.server_info()

    assert info.version[0].isdigit()
    assert info.used_memory > 0
    assert not info.is_replica
    assert not info.is_append_only_failing


def test_memory(health: HealthRepository, redis_client: Any) -> None:
    before = redis_client.config_get("maxmemory*")
    redis_client.config_set("maxmemory", 2**40)
    redis_client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        info = health.server_info()
    finally:
        redis_client.config_set("maxmemory-policy", before["maxmemory-policy"])
        redis_client.config_set("maxmemory", before["maxmemory"])

    assert (info.max_memory, info.memory_policy) == (2**40, "allkeys-lru")


def test_time(health: HealthRepository) -> None:
    assert abs(health.now() - time.time()) < 5
    assert health.measure_latency() > 0


def test_job_runs(health: HealthRepository, redis_client: Any) -> None:
    assert health.job_runs() == []
    run = '{"at": 5.0, "every_seconds": 10.0, "ok": %s}'
    redis_client.hset(keys.JOB_RUNS, mapping={"sweep": run % "false", "refresh": run % "true"})

    assert health.job_runs() == [JobRun("refresh", 5.0, 10.0, True), JobRun("sweep", 5.0, 10.0, False)]


def test_overdue_leases(health: HealthRepository, redis_client: Any) -> None:
    redis_client.zadd(keys.leases("p"), {"late": 1000, "due": 2000, "open": 3000})

    assert [health.count_overdue_leases("p", before) for before in (999, 2000, 9000)] == [0, 2, 3]


def test_unfinished_restore(health: HealthRepository, redis_client: Any) -> None:
    redis_client.set(keys.restore_by("p"), "run")

    assert (health.has_unfinished_restore("p"), health.has_unfinished_restore("q")) == (True, False)


class TestAccounts:
    def test_fields_of_more_than_a_batch(self, health: HealthRepository, redis_client: Any) -> None:
        count = 2 * BATCH + 1
        redis_client.hset(keys.account_names("p"), mapping={str(each): str(each) for each in range(count)})
        for each in range(count):
            redis_client.hset(keys.account("p", str(each)), "id", each)

        found = list(health.account_fields("p", ("id", "listed")))

        assert sorted(int(fields["id"] or -1) for fields in found) == list(range(count))
        assert {fields["listed"] for fields in found} == {None}
