"""Why the store could not be used, as text; failures of a real store are tested with the command line."""

from __future__ import annotations

import socket
import ssl
import threading
import time

import pytest
import redis

from app.errors import StoreUnavailable
from app.stores import failures
from app.stores.errors import unavailable


def from_(error: Exception) -> StoreUnavailable:
    failure = unavailable(error)
    failure.__cause__ = error
    return failure


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            redis.ResponseError("MISCONF Errors writing to the AOF file"),
            "cannot write to its disk",
        ),
        (redis.ResponseError("ERR Error running script: -OOM command not allowed"), "its memory is full"),
        (redis.exceptions.ReadOnlyError("You can't write against a read only replica."), "it is a replica"),
        (redis.BusyLoadingError("Redis is loading the dataset in memory"), "is still loading its data"),
        (
            redis.AuthenticationError("invalid username-password pair"),
            "refuses the password",
        ),
        (redis.exceptions.NoPermissionError("User x has no permissions to run"), "does not let this user"),
        (
            redis.ConnectionError("Error 1. [SSL: CERTIFICATE_VERIFY_FAILED] self-signed"),
            "not trusted",
        ),
        (
            redis.ConnectionError("Error 1. [SSL: WRONG_VERSION_NUMBER] wrong version"),
            "TLS handshake",
        ),
        (ssl.SSLCertVerificationError("self-signed"), "not trusted"),
        (socket.gaierror(-3, "Temporary failure in name resolution"), "could not be resolved"),
        (redis.TimeoutError("Timeout reading from x:1"), "does not answer in time"),
        (TimeoutError(), "does not answer in time"),
        (
            redis.exceptions.InvalidResponse('Protocol error, got "H" as reply type byte'),
            "but not as Redis does",
        ),
        (redis.ConnectionError("odd"), "does not answer: odd"),
    ],
)
def test_cause(error, words):
    assert words in failures.diagnose(from_(error)).clause


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (redis.ResponseError("MISCONF Errors writing to the AOF file"), "free space on its disk"),
        (redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "memory"),
        (redis.AuthenticationError("invalid username-password pair"), "correct the password"),
        (redis.ConnectionError("Error 111 connecting to x:1. Connection refused."), failures.START),
        (redis.ConnectionError("odd"), failures.START),
    ],
)
def test_remedy(error, remedy):
    """A server that runs is not to be started: what helps depends on the cause."""
    assert remedy in failures.diagnose(from_(error)).remedy


def test_unknown_failures_show_no_password():
    failure = failures.diagnose(from_(redis.ConnectionError("cannot use redis://ann:hunter2@host:1")))

    assert "hunter2" not in failure.clause


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://ann:p@ss@host:6379/0?password=x", "redis://host:6379/0"),
        ("unix:///tmp/socket?password=x", "unix:///tmp/socket"),
        ("redis+sentinel://:x@a,b:1/main", "redis+sentinel://a,b:1/main"),
    ],
)
def test_address(url, address):
    assert failures.public_address(url) == address


def test_a_call_that_does_not_return_is_abandoned():
    never = threading.Event()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        failures.call_within(0.05, never.wait)
    never.set()

    assert time.monotonic() - began < 5.0


def test_what_fails_fails_here():
    with pytest.raises(KeyError):
        failures.call_within(5.0, lambda: {}["missing"])
