"""The teams of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.operations.limits import LimitOperations
from app.operations.setup.changes import PlannedChange, errors_at, planned
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

    def plan(self, entries: Sequence[Entry], stored: Mapping[str, Team]) -> Iterator[PlannedChange]:
        """Yield the change of each of *entries*; *stored* are the teams of the pool by name."""
        for index, entry in enumerate(entries):
            path = f"teams[{index}]"
            limits = parse_limits(entry.get("limits", ()), f"{path}.limits")
            key_limits = parse_limits(entry.get("key_limits", ()), f"{path}.key_limits")
            given = {"limits": limit_texts(limits), "key_limits": limit_texts(key_limits)}
            after = {name: given.get(name, entry[name]) for name in entry if name != "name"}
            with errors_at(path):
                team = stored.get(entry["name"])
                yield self._plan_new(entry, after) if team is None else self._plan_change(team, after, limits)

    def _plan_new(self, entry: Entry, after: Mapping[str, Any]) -> PlannedChange:
        fields = {name: value for name, value in entry.items() if name != "disabled"}

        def apply() -> str:
            self._operations.create(self._pool, fields)
            if entry.get("disabled"):
                self._operations.disable(self._pool, entry["name"])
            return ""

        return planned("teams", entry["name"], None, after, apply)

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

        return planned("teams", team.name, before, after, apply)
