"""The pool settings of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from app.accounts.pools import POLICIES, Pool, checked_policy, checked_zone
from app.accounts.settings import CHOICES, FLAGS
from app.operations.pools import PoolOperations, setting_steps
from app.operations.setup.changes import PlannedChange, planned
from app.operations.setup.errors import errors_at
from schemas.bounds import POOL_NUMBERS


def current_settings(pool: Pool | None) -> dict[str, Any]:
    """Return the settings of *pool* by the names of a document; the defaults for a new pool."""
    stored = Pool("", POLICIES[0], "UTC", 0, 0) if pool is None else pool
    effective = stored.effective
    named = {name: getattr(effective, name) for name in (*FLAGS, *CHOICES, *POOL_NUMBERS)}
    limits = stored.settings.get("time_limits", {})
    own = {pattern: values for pattern, values in limits.items() if values}
    return {"policy": stored.policy, "zone": stored.zone, **named, "time_limits": own}


def plan_settings(
    operations: PoolOperations, name: str, pool: Pool | None, settings: Mapping[str, Any]
) -> Iterator[PlannedChange]:
    """Yield the change of the settings of the pool *name*, which is *pool* if it exists."""
    before = current_settings(pool)
    after = dict(settings)
    with errors_at("settings"):
        checked_policy(after.get("policy", POLICIES[0]))
        checked_zone(after.get("zone", "UTC"))
        if "time_limits" in after:
            after["time_limits"] = _without_nulls(after["time_limits"])
        patch = {**after, "time_limits": _patch(before["time_limits"], after.get("time_limits"))}
        steps = list(setting_steps(patch))
        text = orjson.dumps(pool.settings if pool else {}).decode()
        for step in steps:
            text = step(text)

    def apply() -> str:
        operations.change(name, policy=after.get("policy"), zone=after.get("zone"), steps=steps)
        return ""

    if after:
        yield planned("settings", "", before, after, apply)


def _without_nulls(limits: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    given = {
        pattern: {name: seconds for name, seconds in values.items() if seconds is not None}
        for pattern, values in limits.items()
    }
    return {pattern: values for pattern, values in given.items() if values}


def _patch(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the time limits that change *before* to *after*; None resets one to its default."""
    if after is None:
        return {}
    patterns = {pattern: dict.fromkeys(values) | after.get(pattern, {}) for pattern, values in before.items()}
    return {**after, **patterns}
