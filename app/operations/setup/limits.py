"""Limits of a pool, a team or an API key in a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.limits.limit_syntax import format_limit, parse_limit
from app.operations.limits import LimitOperations
from app.operations.setup.changes import PlannedChange, planned
from app.operations.setup.errors import DocumentErrors, errors_at
from app.stores.records.limits import Limit, checked_limits
from schemas.bounds import MAX_LIMITS


def parse_limits(texts: Sequence[str], path: str) -> list[Limit]:
    """Parse the limits *texts*. Raises DocumentInvalid with the path of each faulty one."""
    limits, errors = [], DocumentErrors()
    for index, text in enumerate(texts):
        with errors.collect(), errors_at(f"{path}[{index}]"):
            limits.append(parse_limit(text))
    errors.check()
    with errors_at(path):
        checked_limits(limits)
    return limits


def limit_texts(limits: Sequence[Limit]) -> list[str]:
    """Return *limits* as sorted texts, so that their order makes no difference."""
    return sorted(map(format_limit, limits))


@dataclass(frozen=True, slots=True)
class LimitChanges:
    """The changes from one list of limits to another; limits that count the same retain their counters."""

    added: Sequence[Limit]
    edited: Sequence[tuple[str, Limit]]  # (id of a stored limit, limit with the new maximum and mode)
    removed: Sequence[str]  # ids of stored limits
    room: int  # how many may be added before one has to be removed

    def apply(
        self, operations: LimitOperations, pool: str, key: str | None = None, *, team: str | None = None
    ) -> None:
        """
        Make the changes to the limits of the API key *key*, of the *team*, or of the pool.

        Limits are added before others are removed: no request in between, or after a failure, is unlimited.
        """
        removed = list(self.removed)
        for limit_id, limit in self.edited:
            operations.change(pool, limit_id, limit, key, team=team)
        for number, limit in enumerate(self.added):
            if number >= self.room:
                operations.remove(pool, removed.pop(), key, team=team)
            operations.add(pool, limit, key, team=team)
        for limit_id in removed:
            operations.remove(pool, limit_id, key, team=team)


def limit_changes(before: Sequence[Limit], after: Sequence[Limit]) -> LimitChanges:
    """Return the changes from the stored limits *before* to the limits *after*."""
    _, stored, given = _pair(before, after, format_limit)
    alike, stored, given = _pair(stored, given, _counted)
    edited, removed = [(old.id, new) for old, new in alike], [limit.id for limit in stored]
    return LimitChanges(given, edited, removed, MAX_LIMITS - len(before))


def _pair(
    stored: Sequence[Limit], given: Sequence[Limit], identity: Callable[[Limit], object]
) -> tuple[list[tuple[Limit, Limit]], list[Limit], list[Limit]]:
    """
    Return the pairs of *stored* and *given* limits with the same *identity*, and the rest of both lists.
    """
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
    """Yield the change of the limits of *pool* from *stored* to *texts*."""
    limits = parse_limits(texts, "limits")
    changes = limit_changes(stored, limits)

    def apply() -> str:
        changes.apply(operations, pool)
        return ""

    before, after = {"limits": limit_texts(stored)}, {"limits": limit_texts(limits)}
    yield planned("limits", "", before, after, apply, result=limits)
