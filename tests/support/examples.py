"""The number of examples that Hypothesis tries in tests that state a number."""

from __future__ import annotations

from hypothesis import settings


def examples(number: int) -> int:
    """Return *number*, or what the profile allows if that is less than the default of Hypothesis (100)."""
    allowed = settings().max_examples
    return number if allowed >= 100 else min(number, allowed)
