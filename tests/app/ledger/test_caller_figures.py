"""Figures of what callers received: a failure after which another model was tried is no error."""

from __future__ import annotations

from app.ledger.caller_figures import errors_of_callers, received_by_callers, requests_of_callers


def test_a_later_model_answered() -> None:
    figures = {"requests": 100, "errors": 48, "fallbacks": 48}

    assert (requests_of_callers(figures), errors_of_callers(figures)) == (52, 0)


def test_all_models_failed() -> None:
    """A request that failed at three models is one failed request."""
    figures = {"requests": 3, "errors": 3, "fallbacks": 2}

    assert (requests_of_callers(figures), errors_of_callers(figures)) == (1, 1)


def test_the_failure_is_in_another_hour() -> None:
    """Nothing is below zero."""
    figures = {"requests": 1, "errors": 0, "fallbacks": 1, "cost": 9}

    assert received_by_callers(figures) == {**figures, "requests": 0, "errors": 0}


def test_totals_of_older_versions() -> None:
    figures = {"requests": 10, "errors": 1}

    assert (requests_of_callers(figures), errors_of_callers(figures)) == (10, 1)
    assert received_by_callers({}) == {"requests": 0, "errors": 0}
