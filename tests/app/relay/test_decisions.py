"""Error class × stage -> what to do."""

from __future__ import annotations

import random

import pytest

from app.errors import UpstreamError, UpstreamRejected
from app.pool.failures import Failure
from app.relay.decisions import TABLE, Action, Stage, decide, for_client, pause_seconds


def rejected(status: int, **more: object) -> UpstreamRejected:
    return UpstreamRejected("no", status=status, type="t", code="c", **more)  # type: ignore[arg-type]


def test_every_failure_has_a_row() -> None:
    assert set(TABLE) == set(Failure)


@pytest.mark.parametrize("failure", Failure)
def test_once_something_was_seen_no_other_answer_may_begin(failure: Failure) -> None:
    assert decide(failure, Stage.AFTER) in (Action.TELL, Action.RESTART)


@pytest.mark.parametrize("failure", [Failure.CALLER, Failure.DEADLINE, Failure.DIFFERS])
def test_what_no_account_cures_is_never_retried(failure: Failure) -> None:
    assert decide(failure, Stage.BEFORE) is Action.TELL


def test_an_account_that_kept_silent_is_not_asked_again() -> None:
    assert decide(Failure.SLOW, Stage.BEFORE) is Action.OTHER_ONLY


def test_a_pause_is_what_the_upstream_asked_for() -> None:
    assert pause_seconds(1, rejected(429, retry_after_seconds=2.0), random.Random(1)) == 2.0


def test_else_it_is_jittered_and_grows_to_a_bound() -> None:
    chance = random.Random(1)
    pauses = [pause_seconds(attempt, rejected(500), chance) for attempt in range(1, 30)]

    assert max(pauses[:1]) <= 0.2
    assert max(pauses) <= 4.0
    assert len(set(pauses)) == len(pauses)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_the_callers_key_is_never_blamed_for_ours(status: int) -> None:
    told = for_client(rejected(status))

    assert (told.status, told.code) == (502, "upstream_error")


def test_other_errors_pass_as_they_are() -> None:
    error: UpstreamError = rejected(429)

    assert for_client(error) is error
