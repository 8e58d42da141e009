"""Probable mistakes in what a document added or changed; the commands for one object report the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from app.operations.service import AdminOperations
from app.operations.setup.changes import PlannedChange
from app.operations.setup.plan import SetupStores


def find_mistakes(
    operations: AdminOperations, stores: SetupStores, pool: str, changes: Sequence[PlannedChange]
) -> Iterator[tuple[PlannedChange, str]]:
    """Yield (change, sentence) for probable mistakes in objects that were changed; *changes* were made."""
    for change in changes:
        if not change.is_change:
            continue
        if change.section == "keys":
            found = operations.api_keys.find_warnings(pool, stores.api_keys.find(pool, change.name))
        elif change.section == "models":
            found = operations.routes.find_warnings(pool, stores.routes.find(pool, change.name))
        elif change.section == "teams":
            found = operations.teams.find_warnings(pool, stores.teams.find(pool, change.name))
        elif change.section == "limits":
            warnings = (operations.limits.find_warnings(pool, one) for one in stores.limits.all(pool))
            found = list(dict.fromkeys(chain.from_iterable(warnings)))
        else:
            continue
        yield from ((change, sentence) for sentence in found)
