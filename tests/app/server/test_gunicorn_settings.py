"""How a real gunicorn with our settings starts, serves and stops."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests.support.ports import free_port, get, wait_for
from tests.support.processes import eventually
from tests.support.redis import short_folder

ROOT = Path(__file__).parents[3]


class Gunicorn:
    """`gunicorn` in the project's folder, around the placeholder app."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "tests.support.placeholder:app"],
            cwd=ROOT,
            env={
                **os.environ,
                "PORT": str(self.port),
                "POOLGATE_BIND": "127.0.0.1",
                "POOLGATE_HOME": str(home),
                "WEB_CONCURRENCY": "1",
                **environ,
            },
            stderr=subprocess.PIPE,
            text=True,
        )

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    @contextlib.contextmanager
    def stream(self, seconds: float) -> Iterator[http.client.HTTPResponse]:
        """A stream that has begun."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", f"/stream/{seconds}")
        response = connection.getresponse()
        assert response.readline() == b"begun\n"
        yield response
        connection.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Gunicorn]]:
    started = []

    def start(**environ: str) -> Gunicorn:
        gunicorn = Gunicorn(home, **environ)
        started.append(gunicorn)
        wait_for(gunicorn.port)
        return gunicorn

    with short_folder() as home:
        yield start
        for gunicorn in started:
            if gunicorn.process.poll() is None:
                gunicorn.process.kill()
            gunicorn.process.communicate()


def test_it_starts_the_private_server_and_serves(start):
    gunicorn = start()

    assert get(gunicorn.port, "/health/ready") == "ready"


def test_its_own_lines_are_json(start):
    gunicorn = start()
    gunicorn.process.terminate()

    events = [json.loads(line) for line in gunicorn.process.stderr]

    assert {event["event"] for event in events} == {"gunicorn"}
    assert gunicorn.process.wait(10) == 0


def test_a_worker_is_made_for_many_small_requests(start):
    """What was loaded is no matter of its garbage collections, and only what waits goes through gevent."""
    worker = json.loads(get(start().port, "/process"))

    assert worker["frozen"] > 10_000
    assert worker["collects_after"] == [10_000, 5, 20]  # short pauses: 44 ms at (20_000, 10, 10)
    assert worker["poll"] == "select"
    assert worker["socket"].startswith("gevent")


def test_a_response_has_its_time(start):
    connection = http.client.HTTPConnection("127.0.0.1", start().port, timeout=10)
    connection.request("GET", "/health/ready")
    date = parsedate_to_datetime(connection.getresponse().headers["Date"])
    connection.close()

    assert abs(date.timestamp() - time.time()) < 5


def test_a_bad_setting_is_one_clear_line():
    result = subprocess.run(
        [sys.executable, "-m", "gunicorn"],
        cwd=ROOT,
        env={**os.environ, "PORT": "http"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode != 0
    assert result.stderr.strip() == "PORT='http' does not work: a whole number from 1 to 65535"


class TestStopping:
    def test_a_stream_that_ends_in_time_is_complete(self, start):
        gunicorn = start()
        with gunicorn.stream(2.5) as response:
            gunicorn.process.terminate()

            assert response.read() == b"done\n"
        assert gunicorn.process.wait(10) == 0

    @pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
    def test_a_longer_one_is_ended_politely(self, start, by):
        """Before the SIGKILL at gunicorn's graceful_timeout, after which nothing can be settled."""
        gunicorn = start(GRACEFUL_TIMEOUT="4")
        with gunicorn.stream(60.0) as response:
            gunicorn.process.send_signal(by)

            assert response.read() == b"cut\n"
        assert gunicorn.process.wait(10) == 0

    def test_so_it_is_when_the_arbiter_was_killed(self, start):
        gunicorn = start()
        with gunicorn.stream(60.0) as response:
            gunicorn.process.kill()

            assert response.read() == b"cut\n"

    def test_idle_connections_do_not_hold_it_up(self, start):
        """gunicorn alone would wait its whole graceful_timeout for them."""
        gunicorn = start(GRACEFUL_TIMEOUT="60")
        connection = http.client.HTTPConnection("127.0.0.1", gunicorn.port, timeout=30)
        connection.request("GET", "/health/ready")
        connection.getresponse().read()

        gunicorn.process.terminate()

        assert gunicorn.process.wait(30) == 0
        connection.close()

    def test_a_dead_worker_is_replaced(self, start):
        """The private server's start inside the arbiter leaves its child handling alone."""
        gunicorn = start()
        (before,) = gunicorn.workers()

        os.kill(before, signal.SIGKILL)

        assert eventually(lambda: gunicorn.workers() not in ([before], []))
        assert get(gunicorn.port, "/health/ready") == "ready"
