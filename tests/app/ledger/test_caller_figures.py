"""Figures of what callers received: a failure after which another model was tried is no error."""

from __future__ import annotations

from app.ledger.caller_figures import error_percent, errors_of_callers, requests_of_callers


def test_a_later_model_answered() -> None:
    figures = {"requests": 100, "errors": 48, "fallbacks": 48}

    assert (requests_of_callers(figures), errors_of_callers(figures), error_percent(figures)) == (52, 0, 0)


def test_all_models_failed() -> None:
    """A request that failed at three models is one failed request."""
    figures = {"requests": 3, "errors": 3, "fallbacks": 2}

    assert (requests_of_callers(figures), errors_of_callers(figures), error_percent(figures)) == (1, 1, 100)


def test_the_failure_is_in_another_hour() -> None:
    """Nothing is below zero or above 100 %."""
    assert errors_of_callers({"requests": 1, "errors": 0, "fallbacks": 1}) == 0
    assert error_percent({"requests": 1, "errors": 0, "fallbacks": 1}) is None
    assert error_percent({"requests": 3, "errors": 3, "fallbacks": 0}) == 100


def test_totals_of_older_versions() -> None:
    figures = {"requests": 10, "errors": 1}

    assert (requests_of_callers(figures), errors_of_callers(figures), error_percent(figures)) == (10, 1, 10)
    assert error_percent({}) is None
