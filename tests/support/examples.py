"""How many examples Hypothesis tries where a test states a number."""

from __future__ import annotations

from hypothesis import settings


def examples(number: int) -> int:
    """Return *number*, or what the profile allows if that is less than Hypothesis' own default (100)."""
    allowed = settings().max_examples
    return number if allowed >= 100 else min(number, allowed)
