"""A script's own error is a defect; a server that cannot take a command now may take it later."""

from __future__ import annotations

import pytest
import redis

from app.errors import StoreRefused, StoreUnavailable
from app.stores.errors import MAX_REASON_CHARS, is_script_error, store_error

SCRIPT = "user_script:1: refused: cost, script: f, on @user_script:1."


@pytest.mark.parametrize(
    "message",
    [
        "OOM command not allowed when used memory > 'maxmemory'. script: f, on @user_script:1.",
        "Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed",
        "MISCONF Redis is configured to save RDB snapshots, script: f, on @user_script:1.",
        "READONLY You can't write against a read only replica. script: f, on @user_script:1.",
        "NOREPLICAS Not enough good replicas to write. script: f, on @user_script:1.",
        "LOADING Redis is loading the dataset in memory",
        "BUSY Redis is busy running a script",
        "CLUSTERDOWN Hash slot not served",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "NOPERM this user has no permissions to run the 'eval' command",
        "Error running script: Script killed by user with SCRIPT KILL. user_script:1",
    ],
)
def test_states_of_a_server(message: str) -> None:
    error = redis.ResponseError(message)

    assert not is_script_error(error)
    assert isinstance(store_error(error), StoreUnavailable)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (redis.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"), "writes"),
        (redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "writes"),
        (redis.exceptions.ReadOnlyError("You can't write against a read only replica."), "writes"),
        (redis.ConnectionError("Connection refused"), "is not answering"),
        (redis.TimeoutError("Timeout reading from socket"), "is not answering"),
    ],
)
def test_a_store_that_answers_is_not_called_silent(error: Exception, trouble: str) -> None:
    assert trouble in store_error(error).message


def test_error_of_a_script() -> None:
    error = store_error(redis.ResponseError(SCRIPT))

    assert isinstance(error, StoreRefused)
    assert error.reason == SCRIPT


def test_a_long_reason_is_cut() -> None:
    error = store_error(redis.ResponseError("user_script " + "x" * 1000))

    assert isinstance(error, StoreRefused)
    assert len(error.reason) == MAX_REASON_CHARS


@pytest.mark.parametrize(
    "error", [redis.ConnectionError("refused"), redis.TimeoutError(), redis.ResponseError("ERR")]
)
def test_everything_else_is_an_outage(error: Exception) -> None:
    assert isinstance(store_error(error), StoreUnavailable)
