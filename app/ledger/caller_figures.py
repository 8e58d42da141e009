"""
Figures of what callers received. Pure.

Totals count a request once at each model that it was tried at; its caller received the last result. One at a
later model is counted in `fallbacks` as well, and the one before it is an error. The two may be in different
hours, so differences are no less than zero.
"""

from __future__ import annotations

from collections.abc import Mapping


def requests_of_callers(figures: Mapping[str, int]) -> int:
    """Return how many requests callers sent, of totals by figure."""
    return max(0, figures.get("requests", 0) - figures.get("fallbacks", 0))


def errors_of_callers(figures: Mapping[str, int]) -> int:
    """Return how many requests failed for their callers, of totals by figure."""
    return max(0, figures.get("errors", 0) - figures.get("fallbacks", 0))


def received_by_callers(figures: Mapping[str, int]) -> dict[str, int]:
    """Return *figures* with the requests and errors of callers."""
    return {**figures, "requests": requests_of_callers(figures), "errors": errors_of_callers(figures)}
