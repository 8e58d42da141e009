"""Which of several failures the caller receives."""

from __future__ import annotations

import pytest

from app.accounts.failures import CONSEQUENCES, Failure
from app.accounts.verdicts import Verdict
from app.errors import UpstreamError
from app.relay.reported_failure import FINAL, PRECEDENCE, AccountFailure, most_informative
from app.relay.retry_policy import TABLE
from app.stores.records.ledger import Action


def failure(name: str) -> AccountFailure:
    """Return what *name* describes: a `Failure`, `?` if its account comes last, and its wait in seconds."""
    kind, _, wait = name.partition(" ")
    verdict = Verdict(Failure(kind.rstrip("?")), CONSEQUENCES[Failure(kind.rstrip("?"))], None)
    error = UpstreamError("No", retry_after_seconds=float(wait) if wait else None)
    return AccountFailure(name, verdict, error, error, comes_last=kind.endswith("?"))


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        # what an account that works answers, before what a misconfigured one does, in any order
        ("server_error, endpoint_missing", "server_error"),
        ("endpoint_missing, server_error", "server_error"),
        ("server_error, credential", "server_error"),
        ("server_error, redirected", "server_error"),
        ("slow, unreachable", "slow"),
        # also if that would otherwise come first
        ("server_error, burst_limited?", "server_error"),
        ("burst_limited?, credential", "credential"),
        ("server_error?, endpoint_missing?", "server_error?"),
        # limits come first, the shortest wait before others
        ("model_limited 7, server_error", "model_limited 7"),
        ("server_error, burst_limited", "burst_limited"),
        ("window_spent 60, burst_limited 80", "burst_limited 80"),
        ("burst_limited 9, model_limited 7, burst_limited 8", "model_limited 7"),
        ("burst_limited, burst_limited 5", "burst_limited 5"),
        # a spent window, at which clients stop, only if no other account may serve a later attempt
        ("window_spent 3600, server_error", "server_error"),
        ("cut, window_spent 3600", "cut"),
        ("unreachable, window_spent 3600", "unreachable"),
        ("window_spent 3600, unsupported", "window_spent 3600"),
        ("window_spent 3600, model_missing", "window_spent 3600"),
        ("window_spent 3600, credential", "window_spent 3600"),
        ("window_spent 3600, window_spent 60", "window_spent 60"),
        # otherwise what a later attempt may change
        ("overloaded, server_error", "overloaded"),
        ("server_error, unsupported", "server_error"),
        ("unsupported, unreachable", "unreachable"),
        ("model_missing, unreachable", "unreachable"),  # the model may be there
        ("model_missing, credential", "model_missing"),
        ("endpoint_missing, blocked", "blocked"),
        # of equal ones the newest
        ("server_error, slow", "slow"),
        ("slow, server_error", "server_error"),
        # a final one ends the request, so it is received
        ("burst_limited 7, caller", "caller"),
        ("server_error, deadline?", "deadline?"),
        ("credential", "credential"),
    ],
)
def test_most_informative(failures: str, expected: str) -> None:
    chosen = most_informative([failure(name) for name in failures.split(", ")])

    assert chosen.account_id == expected


def test_each_failure_has_a_place() -> None:
    """A failure is final exactly if it ends the request in every case."""
    placed = [each for group in PRECEDENCE for each in group]

    assert len(placed) == len(set(placed))
    assert {each for each, actions in TABLE.items() if set(actions) == {Action.FAIL}} == FINAL
