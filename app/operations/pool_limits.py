"""The API keys of a pool, and the state of the limits of the pool, its teams and its keys, read together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.operations.check_stores import CheckStores
from app.stores.records.api_keys import ApiKey, KeyState
from app.stores.records.limits import Limit, LimitStatus
from app.stores.records.teams import Team


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """
    The limits of a pool that can refuse a request, at *now* in Unix seconds.

    These are the limits of the pool, of its active teams and of its usable keys.
    """

    now: float
    api_keys: Sequence[ApiKey]  # all keys, by name
    usable: Sequence[ApiKey]  # neither disabled nor expired
    teams: Sequence[Team]  # all teams
    statuses: Sequence[tuple[str, LimitStatus]]  # with the name of the owner, '' for the pool


def read_pool_limits(stores: CheckStores, pool: str) -> PoolLimits:
    """Read the keys, teams and limits of *pool*. The number of round trips does not grow with the pool."""
    now = stores.health.now()
    api_keys, teams = stores.api_keys.all(pool), stores.teams.all(pool)
    usable = [key for key in api_keys if key.state_at(now) is KeyState.ACTIVE]
    owned = owned_limits(stores.limits.all(pool), teams, usable)
    statuses = stores.usage.limit_statuses(pool, [limit for _, limit in owned])
    with_owner = [(owner, status) for (owner, _), status in zip(owned, statuses, strict=True)]
    return PoolLimits(now, api_keys, usable, teams, with_owner)


def owned_limits(
    of_pool: Iterable[Limit], teams: Iterable[Team], api_keys: Iterable[ApiKey]
) -> list[tuple[str, Limit]]:
    """Return (owner's name, limit) of a pool, the active ones of *teams*, and *api_keys*; '' is the pool."""
    owned = [("", limit) for limit in of_pool]
    owned += [(team.name, limit) for team in teams if team.is_active for limit in team.limits]
    return owned + [(key.name, limit) for key in api_keys for limit in key.limits]
