"""Which models a limit counts, as `applies` in app/stores/lua/windows.lua. Pure."""

from __future__ import annotations

from app.limits.prices import family_of
from app.patterns import matches


def counts_model(pattern: str | None, model: str) -> bool:
    """
    Return whether a limit for *pattern* (None: for all models) counts requests for *model*.

    Letter case makes no difference, and a dated snapshot counts under the name of its family as well.
    """
    names = {model.lower(), family_of(model).lower()}
    return pattern is None or any(matches(pattern.lower(), name) for name in names)
