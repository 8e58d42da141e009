"""The teams of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.limits.limit_syntax import format_limit
from app.operations.limits import LimitOperations
from app.operations.setup.changes import PlannedChange, planned
from app.operations.setup.errors import DocumentErrors, errors_at, numbered
from app.operations.setup.limits import limit_changes, limit_texts, parse_limits
from app.operations.teams import TeamOperations
from app.stores.records.limits import Limit
from app.stores.records.teams import Team

Entry = Mapping[str, Any]


def team_entry(team: Team) -> dict[str, Any]:
    """Return *team* as the entry of a document."""
    return {
        "limits": limit_texts(team.limits),
        "key_limits": sorted(team.key_limits),
        "disabled": not team.is_active,
    }


class TeamPlanner:
    def __init__(self, operations: TeamOperations, limits: LimitOperations, pool: str) -> None:
        self._operations = operations
        self._limits = limits
        self._pool = pool

    def plan(
        self, entries: Sequence[Entry | None], stored: Mapping[str, Team], errors: DocumentErrors
    ) -> Iterator[PlannedChange]:
        """Yield the change of each of *entries*, and add to *errors*; *stored* are the pool's by name."""
        for path, entry in numbered("teams", entries):
            with errors.collect():
                yield self._plan(path, entry, stored.get(entry["name"]))

    def _plan(self, path: str, entry: Entry, team: Team | None) -> PlannedChange:
        """Return the change of *team*, None if it is new, to *entry*. Raises DocumentInvalid."""
        errors, limits = DocumentErrors(), {}
        for name in ("limits", "key_limits"):
            with errors.collect():
                limits[name] = parse_limits(entry.get(name, ()), f"{path}.{name}")
        errors.check()
        given = {name: limit_texts(parsed) for name, parsed in limits.items()}
        after = {name: given.get(name, entry[name]) for name in entry if name != "name"}
        with errors_at(path):
            if team is None:
                return self._plan_new(entry, after, limits)
            return self._plan_change(team, after, limits["limits"])

    def _plan_new(
        self, entry: Entry, after: Mapping[str, Any], limits: Mapping[str, Sequence[Limit]]
    ) -> PlannedChange:
        fields = {name: value for name, value in entry.items() if name != "disabled"}

        def apply() -> str:
            self._operations.create(self._pool, fields)
            if entry.get("disabled"):
                self._operations.disable(self._pool, entry["name"])
            return ""

        key_limits = tuple(map(format_limit, limits["key_limits"]))
        team = Team(entry["name"], self._pool, limits=tuple(limits["limits"]), key_limits=key_limits)
        return planned("teams", team.name, None, after, apply, result=team)

    def _plan_change(self, team: Team, after: Mapping[str, Any], limits: Sequence[Limit]) -> PlannedChange:
        before = team_entry(team)
        changed = {name for name, value in after.items() if value != before[name]}

        def apply() -> str:
            if "limits" in changed:
                limit_changes(team.limits, limits).apply(self._limits, self._pool, team=team.name)
            if "key_limits" in changed:
                self._operations.change(self._pool, team.name, {"key_limits": after["key_limits"]})
            if "disabled" in changed:
                switch = self._operations.disable if after["disabled"] else self._operations.enable
                switch(self._pool, team.name)
            return ""

        result = replace(
            team,
            limits=tuple(limits) if "limits" in changed else team.limits,
            key_limits=tuple(after.get("key_limits", team.key_limits)),
        )
        return planned("teams", team.name, before, after, apply, result=result)
