"""Teams with their keys and the usage of their limits, as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from app.presentation.limits import serialize_limit_status
from app.stores.records.api_keys import ApiKey
from app.stores.records.teams import Team, TeamJson
from app.stores.usage import UsageRepository


class TeamViewJson(TeamJson):
    """A team with the names of its keys; its limits have their usage."""

    keys: Sequence[str]


def keys_by_team(api_keys: Iterable[ApiKey]) -> dict[str, list[str]]:
    """Return the names of the keys of each team that has any."""
    members: dict[str, list[str]] = defaultdict(list)
    for key in api_keys:
        if key.team:
            members[key.team].append(key.name)
    return dict(members)


def serialize_teams(
    usage: UsageRepository, pool: str, teams: Sequence[Team], members: Mapping[str, Sequence[str]]
) -> list[TeamViewJson]:
    """Return *teams* of *pool* with the usage of their limits, in two round trips."""
    statuses = iter(usage.limit_statuses(pool, [limit for team in teams for limit in team.limits]))
    return [
        {
            **team.public(),
            "limits": [serialize_limit_status(next(statuses)) for _ in team.limits],
            "keys": members.get(team.name, ()),
        }
        for team in teams
    ]
