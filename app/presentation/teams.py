"""Teams with their keys and the usage of their limits, as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.presentation.limits import serialize_limit_status
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import LimitStatus
from app.stores.records.teams import Team, TeamJson
from app.stores.usage import UsageRepository


class TeamViewJson(TeamJson):
    """A team with the names of its keys, and the usage of its limits."""

    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team with the names of its keys, and the usage of its limits."""

    team: Team
    keys: Sequence[str]
    limits: Sequence[LimitStatus]

    @property
    def nearest(self) -> LimitStatus | None:
        """The limit of which the largest share is used."""
        return max(self.limits, key=lambda status: status.used_percent, default=None)

    def to_json(self) -> TeamViewJson:
        limits = [serialize_limit_status(status) for status in self.limits]
        return {**self.team.public(), "limits": limits, "keys": self.keys}


def filter_teams(teams: Iterable[Team], query: Mapping[str, str]) -> list[Team]:
    """Return those of *teams* that match `q`, a part of the name, and `state` in *query*."""
    text, state = query.get("q", "").strip().lower(), query.get("state", "").strip()
    return [team for team in teams if text in team.name.lower() and state in ("", team.state)]


def keys_by_team(api_keys: Iterable[ApiKey]) -> dict[str, list[str]]:
    """Return the names of the keys of each team that has any."""
    members: dict[str, list[str]] = defaultdict(list)
    for key in api_keys:
        if key.team:
            members[key.team].append(key.name)
    return dict(members)


def team_views(
    usage: UsageRepository, pool: str, teams: Sequence[Team], members: Mapping[str, Sequence[str]]
) -> list[TeamView]:
    """Return *teams* of *pool* with the usage of their limits; two round trips."""
    statuses = iter(usage.limit_statuses(pool, [limit for team in teams for limit in team.limits]))
    return [
        TeamView(team, members.get(team.name, ()), [next(statuses) for _ in team.limits]) for team in teams
    ]
