"""Teams of API keys in Redis. A change takes effect immediately, in every process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from app.errors import InvalidRequest, NotFound
from app.stores import keys
from app.stores.known_names import suggest_member
from app.stores.records.limits import Limit, LimitScope, checked_limits, limits_to_json
from app.stores.records.teams import Team, TeamState, read_stored_team
from app.stores.scripts import Scripts


class TeamRepository:
    """Teams in Redis. Their limits are changed by `LimitRepository`."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def create(
        self, pool: str, name: str, limits: Sequence[Limit] = (), key_limits: Sequence[str] = ()
    ) -> Team:
        """
        Create a team with *limits*; *key_limits* are the limits, as texts, that its new keys get.

        Raises InvalidRequest when the name is taken, or for too many limits.
        """
        limits = [replace(limit, scope=LimitScope.TEAM) for limit in checked_limits(limits)]
        record = {
            "name": name,
            "state": TeamState.ACTIVE.value,
            "limits": _json(limits_to_json(limits)),
            "key_limits": _json(list(key_limits)),
        }
        if self._scripts.run("create_team", pool, name, orjson.dumps(record)) == 0:
            raise InvalidRequest(f"A team named '{name}' exists in pool '{pool}'", param="name")
        return self.find(pool, name)

    def find(self, pool: str, name: str) -> Team:
        """Return the team called *name*. Raises NotFound when there is none."""
        stored = self._scripts.client.hgetall(keys.team(pool, name))
        if not stored:
            raise team_not_found(self._scripts.client, pool, name)
        return read_stored_team(stored, pool)

    def all(self, pool: str) -> list[Team]:
        """Return every team, sorted by name."""
        client = self._scripts.client
        pipeline = client.pipeline(transaction=False)
        for name in sorted(client.smembers(keys.team_names(pool))):
            pipeline.hgetall(keys.team(pool, name))
        return [read_stored_team(stored, pool) for stored in pipeline.execute() if stored]

    def set_state(self, pool: str, name: str, state: TeamState) -> None:
        """Disable or enable a team: the keys of a disabled team are refused. Raises NotFound."""
        self._change(pool, name, state=state.value)

    def set_key_limits(self, pool: str, name: str, key_limits: Sequence[str]) -> None:
        """Store the texts of the limits that a new key of the team gets. Raises NotFound."""
        self._change(pool, name, key_limits=_json(list(key_limits)))

    def remove(self, pool: str, name: str) -> None:
        """
        Remove a team, its limits and their counters; its ledger entries stay.

        Raises NotFound, and InvalidRequest while it has keys.
        """
        removed, *members = self._scripts.run("remove_team", pool, name)
        if members:
            count = f"{members[0]} keys" if members[0] != 1 else "a key"
            raise InvalidRequest(
                f"The team '{name}' has {count}: remove them, or move them by key set --team or --no-team",
                param="name",
            )
        if not removed:
            raise team_not_found(self._scripts.client, pool, name)

    def _change(self, pool: str, name: str, **fields: str) -> None:
        if not self._scripts.run("change_team", pool, name, orjson.dumps(fields)):
            raise team_not_found(self._scripts.client, pool, name)


def team_not_found(client: Any, pool: str, name: str, param: str = "name") -> NotFound:
    """Return the error for a team that does not exist, with similar names."""
    similar = suggest_member(client, keys.team_names(pool), name)
    return NotFound(f"There is no team named '{name[:64]}' in pool '{pool}'{similar}", param=param)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
