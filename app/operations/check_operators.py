"""Check that operators satisfy the requirements for signing in."""

from __future__ import annotations

from collections.abc import Iterator

from app.operations.check_stores import CheckStores
from app.operations.diagnostic import Diagnostic, Level


def check_operators(stores: CheckStores) -> Iterator[Diagnostic]:
    """Yield how many operators lack a required second factor; only owners see their names."""
    if not stores.sign_in_policy.current().second_factor_required:
        return
    count = sum(one.lacks_second_factor and not one.suspended for one in stores.operators.all())
    if count:
        what = f"{count} without the second factor that is required; they set it up at their next sign-in"
        yield Diagnostic(Level.NOTE, "operators", what, "poolgate admin list")
