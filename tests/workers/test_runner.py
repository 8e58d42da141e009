"""When jobs run, over a real Redis."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import gevent
import orjson
import pytest
import structlog
from gevent.event import Event

from app.errors import StoreUnavailable
from app.stores import keys
from app.stores.client import make_client
from app.wiring import Services
from workers.runner import Job, StoreOutage, run_if_due, run_until


@pytest.fixture
def services(redis_client: Any) -> Services:
    return cast(Services, SimpleNamespace(scripts=SimpleNamespace(client=redis_client)))


def job(run: Callable[..., None], every_seconds: float = 3600.0) -> Job:
    return Job("sweep", every_seconds, run)


class TestOneRun:
    def test_is_given_the_services_and_the_time(self, services):
        seen = []

        run_if_due(job(lambda *given: seen.append(given)), services, StoreOutage())

        ((given, now),) = seen
        assert given is services
        assert abs(now - time.time()) < 60

    def test_comes_once_a_period_over_all_processes(self, services):
        runs = []

        for _ in range(3):
            run_if_due(job(lambda *_: runs.append(1)), services, StoreOutage())

        assert runs == [1]

    def test_the_claim_ends_with_the_period_whatever_became_of_its_taker(self, services, redis_client):
        run_if_due(job(lambda *_: None, every_seconds=60.0), services, StoreOutage())

        assert 59_000 < redis_client.pttl("pg:job:sweep") <= 60_000

    def test_that_fails_is_logged_without_its_message(self, services):
        def fail(*_: object) -> None:
            raise ValueError("sk-secret")

        with structlog.testing.capture_logs() as lines:
            run_if_due(job(fail), services, StoreOutage())

        assert [(line["event"], line["job"]) for line in lines] == [("job_failed", "sweep")]

    @pytest.mark.parametrize("ok", [True, False])
    def test_stores_the_time_and_the_result(self, services, redis_client, ok):
        run_if_due(job(lambda *_: None if ok else 1 / 0, every_seconds=60.0), services, StoreOutage())

        run_record = orjson.loads(redis_client.hget(keys.JOB_RUNS, "sweep"))
        assert (run_record["every_seconds"], run_record["ok"]) == (60.0, ok)
        assert abs(run_record["at"] - time.time()) < 60

    def test_waits_for_a_store_that_is_away(self):
        away = SimpleNamespace(scripts=SimpleNamespace(client=make_client("unix:///tmp/nobody.sock", 0.1)))

        with structlog.testing.capture_logs() as lines:
            run_if_due(
                job(lambda *_: pytest.fail("ran without a claim")), cast(Services, away), StoreOutage()
            )

        assert [line["event"] for line in lines] == ["job_postponed"]

    def test_waits_for_a_store_that_goes_away_midway(self, services):
        def lose(*_: object) -> None:
            raise StoreUnavailable("gone")

        with structlog.testing.capture_logs() as lines:
            run_if_due(job(lose), services, StoreOutage())

        assert [line["event"] for line in lines] == ["job_postponed"]


def test_one_line_an_outage_and_one_at_its_end(services: Services) -> None:
    """Every job waits for the store, and tries again every few seconds."""
    away = SimpleNamespace(scripts=SimpleNamespace(client=make_client("unix:///tmp/nobody.sock", 0.1)))
    jobs, outage = [Job(name, 60.0, lambda *_: None) for name in ("first", "second")], StoreOutage()

    with structlog.testing.capture_logs() as lines:
        for store in (services, away, away, services, services):
            for each in jobs:
                run_if_due(each, cast(Services, store), outage)

    assert [(line["event"], line.get("job")) for line in lines] == [
        ("job_postponed", "first"),
        ("jobs_resumed", None),
    ]


class TestRunning:
    def test_one_job_does_not_wait_for_another(self, services):
        stopping, quick_ran = Event(), Event()
        slow = Job("slow", 60.0, lambda *_: stopping.wait(30) and None)
        quick = Job("quick", 60.0, lambda *_: quick_ran.set())

        running = gevent.spawn(run_until, stopping, [slow, quick], services, 30.0)

        assert quick_ran.wait(30)
        stopping.set()
        running.join(30)
        assert running.successful()

    def test_a_job_comes_again_after_its_period(self, services):
        stopping, runs = Event(), []

        def run(*_: object) -> None:
            runs.append(1)
            if len(runs) == 3:
                stopping.set()

        run_until(stopping, [job(run, every_seconds=0.02)], services, 30.0)

        assert len(runs) == 3

    def test_a_job_under_way_is_finished(self, services):
        stopping, finished = Event(), []

        def run(*_: object) -> None:
            stopping.set()
            gevent.sleep(0.05)
            finished.append(1)

        run_until(stopping, [job(run)], services, 30.0)

        assert finished == [1]

    def test_but_not_waited_for_for_ever(self, services):
        stopping, never = Event(), Event()
        begun = time.monotonic()

        run_until(stopping, [job(lambda *_: (stopping.set(), never.wait())[0])], services, 0.05)

        assert time.monotonic() - begun < 30
