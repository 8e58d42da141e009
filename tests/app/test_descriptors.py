"""Descriptors: the soft limit is raised, and connections are fitted to it."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys

import pytest
import redis
from urllib3.exceptions import NewConnectionError

from app import descriptors
from app.descriptors import MAX_CONNECTIONS, MIN_CONNECTIONS, is_exhaustion, max_connections
from app.errors import OutOfDescriptors, StoreOutOfDescriptors, StoreUnavailable, UpstreamUnreachable
from app.stores.errors import unavailable
from app.upstream.errors import from_exception


@pytest.mark.parametrize(
    ("limit", "connections"),
    [
        (32, MIN_CONNECTIONS),
        (128, 48),
        (256, 96),
        (1024, 384),
        (4511, 1999),
        (4512, 2000),
        (10**6, MAX_CONNECTIONS),
    ],
)
def test_connections_that_fit(limit: int, connections: int) -> None:
    assert max_connections(limit) == connections


@pytest.mark.parametrize(("hard", "becomes"), [(300, 300), (64, 64)])
def test_the_soft_limit_is_raised(hard: int, becomes: int) -> None:
    script = "from app import descriptors; print(descriptors.raise_limit(), descriptors.max_requests())"
    result = subprocess.run(
        [sys.executable, "-c", script],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard)),
        capture_output=True,
        text=True,
        check=True,
    )

    assert list(map(int, result.stdout.split())) == [becomes, int(max_connections(becomes) * 0.95)]


def out_of(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", descriptors.OUT_OF_DESCRIPTORS)
def test_it_is_the_gateways_fault(number: int) -> None:
    """It is ours, however deep the reason lies."""
    upstream = NewConnectionError(None, "failed")  # type: ignore[arg-type]
    upstream.__cause__ = out_of(number)
    store = redis.ConnectionError("Error 24")
    store.__context__ = out_of(number)

    assert isinstance(from_exception(upstream), OutOfDescriptors)
    assert isinstance(unavailable(store), StoreOutOfDescriptors)
    assert unavailable(store).envelope()["error"]["code"] == "out_of_descriptors"


def test_other_failures_have_another_cause() -> None:
    upstream = NewConnectionError(None, "failed")  # type: ignore[arg-type]
    upstream.__cause__ = out_of(errno.ECONNREFUSED)

    assert isinstance(from_exception(upstream), UpstreamUnreachable)
    assert type(unavailable(redis.ConnectionError("refused"))) is StoreUnavailable


def test_a_failure_without_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up of a name fails without a reason where there is no descriptor for it."""

    def none_left(*_: object) -> int:
        raise out_of(errno.EMFILE)

    assert not is_exhaustion(RuntimeError())
    monkeypatch.setattr(os, "open", none_left)
    assert is_exhaustion(RuntimeError())
