"""The settings and limits of the pool of a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.accounts.pools import POLICIES, Pool, checked_policy, checked_zone
from app.accounts.settings import CHOICES, FLAGS
from app.limits.limit_syntax import format_limit, parse_limit
from app.operations.limits import LimitOperations
from app.operations.pools import PoolOperations, setting_steps
from app.operations.setup.changes import PlannedChange, errors_at, planned
from app.stores.records.limits import Limit, checked_limits
from schemas.bounds import POOL_NUMBERS


def current_settings(pool: Pool | None) -> dict[str, Any]:
    """Return the settings of *pool* by the names of a document; the defaults for one that is new."""
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
    """Return the time limits that make *after* of *before*; None takes one back."""
    if after is None:
        return {}
    patterns = {pattern: dict.fromkeys(values) | after.get(pattern, {}) for pattern, values in before.items()}
    return {**after, **patterns}


def parse_limits(texts: Sequence[str], path: str) -> list[Limit]:
    """Return the limits that *texts* describe. Raises InvalidRequest with the path of a faulty one."""
    limits = []
    for index, text in enumerate(texts):
        with errors_at(f"{path}[{index}]"):
            limits.append(parse_limit(text))
    with errors_at(path):
        checked_limits(limits)
    return limits


def limit_texts(limits: Sequence[Limit]) -> list[str]:
    """Return *limits* as text, sorted, so that their order is no difference."""
    return sorted(map(format_limit, limits))


@dataclass(frozen=True, slots=True)
class LimitChanges:
    """What makes one list of limits of another; limits that count the same retain their counters."""

    added: Sequence[Limit]
    edited: Sequence[tuple[str, Limit]]  # (id of the stored one, the new maximum and mode)
    removed: Sequence[str]  # ids

    def apply(self, operations: LimitOperations, pool: str, key: str | None = None) -> None:
        """Make the changes, to the limits of the API key *key* or of the pool."""
        for limit_id in self.removed:
            operations.remove(pool, limit_id, key)
        for limit_id, limit in self.edited:
            operations.change(pool, limit_id, limit, key)
        for limit in self.added:
            operations.add(pool, limit, key)


def limit_changes(before: Sequence[Limit], after: Sequence[Limit]) -> LimitChanges:
    """Return what makes *after* of the stored limits *before*."""
    _, stored, given = _pair(before, after, format_limit)
    alike, stored, given = _pair(stored, given, _counted)
    return LimitChanges(given, [(old.id, new) for old, new in alike], [limit.id for limit in stored])


def _pair(
    stored: Sequence[Limit], given: Sequence[Limit], identity: Callable[[Limit], object]
) -> tuple[list[tuple[Limit, Limit]], list[Limit], list[Limit]]:
    """Return the pairs of *stored* and *given* limits with the same *identity*, and the rest of both."""
    remaining, pairs, unpaired = list(stored), [], []
    for limit in given:
        partner = next((each for each in remaining if identity(each) == identity(limit)), None)
        if partner is None:
            unpaired.append(limit)
        else:
            remaining.remove(partner)
            pairs.append((partner, limit))
    return pairs, remaining, unpaired


def _counted(limit: Limit) -> tuple[object, ...]:
    return limit.unit, limit.period, limit.model


def plan_limits(
    operations: LimitOperations, pool: str, stored: Sequence[Limit], texts: Sequence[str]
) -> Iterator[PlannedChange]:
    """Yield the change of the limits of *pool*, which are *stored*, to those in *texts*."""
    limits = parse_limits(texts, "limits")
    changes = limit_changes(stored, limits)

    def apply() -> str:
        changes.apply(operations, pool)
        return ""

    before, after = {"limits": limit_texts(stored)}, {"limits": limit_texts(limits)}
    yield planned("limits", "", before, after, apply)
