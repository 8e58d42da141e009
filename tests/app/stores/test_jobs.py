from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.stores import keys
from app.stores.jobs import JobRepository
from app.stores.scripts import Scripts


@pytest.fixture
def jobs(redis_client: Any) -> JobRepository:
    return JobRepository(Scripts(redis_client))


class TestClaim:
    def test_one_process(self, jobs: JobRepository) -> None:
        """A period belongs to the first process that takes it."""
        assert jobs.claim("sweep", 60)
        assert not jobs.claim("sweep", 60)
        assert jobs.claim("other", 60)

    def test_expires(self, jobs: JobRepository, redis_client: Any) -> None:
        """A claim ends by itself, so a crash skips one run at most."""
        jobs.claim("sweep", 60)

        assert 0 < redis_client.pttl(keys.JOBS + "sweep") <= 60_000

    def test_account(self, jobs: JobRepository, redis_client: Any) -> None:
        """It ends 10 % early, so that the next run can claim it."""
        assert jobs.claim_account("models", "p", "a", 100)
        assert not jobs.claim_account("models", "p", "a", 100)
        assert 0 < redis_client.pttl(keys.job_claim("p", "models", "a")) <= 90_000


def test_hold(jobs: JobRepository, redis_client: Any) -> None:
    """It belongs to one holder, as long as that extends it."""
    assert jobs.hold("watch", "a", 30)
    assert not jobs.hold("watch", "b", 30)
    redis_client.pexpire(keys.JOBS + "watch", 1000)

    assert jobs.hold("watch", "a", 30)
    assert redis_client.pttl(keys.JOBS + "watch") > 1000
    redis_client.delete(keys.JOBS + "watch")
    assert jobs.hold("watch", "b", 30)


def test_run(jobs: JobRepository, redis_client: Any) -> None:
    jobs.record_run("sweep", 30.0, ok=False)

    run = orjson.loads(redis_client.hget(keys.JOB_RUNS, "sweep"))
    assert (run["every_seconds"], run["ok"]) == (30.0, False)
    assert abs(run["at"] - redis_client.time()[0]) <= 1
