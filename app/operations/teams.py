"""Change the teams of a pool. Every change takes effect immediately, in every process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.accounts.account import Account
from app.errors import InvalidRequest
from app.limits.limit_syntax import format_limit, parse_limit
from app.limits.prices import PriceTable
from app.operations.audit_trail import AuditedOperations, AuditTrail
from app.operations.unpriced_models import ModelStores, known_models, needs_price, unpriced_limits
from app.stores.records.limits import Limit, checked_limits
from app.stores.records.teams import Team, TeamState
from app.stores.teams import TeamRepository


class TeamOperations(AuditedOperations):
    """Changes of teams; `LimitOperations` changes their limits."""

    def __init__(self, audit: AuditTrail, teams: TeamRepository, models: ModelStores) -> None:
        super().__init__(audit)
        self._teams = teams
        self._models = models

    def create(self, pool: str, fields: Mapping[str, Any]) -> Team:
        """Create the team that *fields*, those of a valid TeamInput, describe. Raises InvalidRequest."""
        name = fields["name"]
        limits = _parsed(fields.get("limits", ()), "limits")
        key_limits = _checked_texts(fields.get("key_limits", ()))
        self._audit.ensure_pool(pool)
        with self._audit.change("team.create", pool, name) as change:
            team = self._teams.create(pool, name, limits, key_limits)
            change.after = team.public()
        return team

    def change(self, pool: str, name: str, changes: Mapping[str, Any]) -> Team:
        """Change the team *name*; *changes* are fields of a TeamChange. Existing keys stay as they are."""
        if "key_limits" not in changes:
            raise InvalidRequest(
                "Give key_limits: a team has nothing else to change here", param="key_limits"
            )
        key_limits = _checked_texts(changes["key_limits"])
        return self._change_team(
            "team.change", pool, name, lambda: self._teams.set_key_limits(pool, name, key_limits)
        )

    def find_warnings(self, pool: str, team: Team) -> list[str]:
        """Return sentences about probable mistakes in *team*, which was just created or changed."""
        return team_warnings(team, self._models.accounts.all(pool), self._models.prices.current(pool))

    def disable(self, pool: str, name: str) -> Team:
        """Refuse the keys of the team *name* from now on; their running requests continue."""
        return self._change_team(
            "team.disable", pool, name, lambda: self._teams.set_state(pool, name, TeamState.DISABLED)
        )

    def enable(self, pool: str, name: str) -> Team:
        return self._change_team(
            "team.enable", pool, name, lambda: self._teams.set_state(pool, name, TeamState.ACTIVE)
        )

    def remove(self, pool: str, name: str) -> None:
        """Remove the team *name*, which must have no keys; its ledger entries stay."""
        before = self._teams.find(pool, name)
        with self._audit.change("team.remove", pool, name) as change:
            change.before = before.public()
            self._teams.remove(pool, name)

    def _change_team(self, action: str, pool: str, name: str, apply: Callable[[], object]) -> Team:
        before = self._teams.find(pool, name)
        with self._audit.change(action, pool, name) as change:
            change.before = before.public()
            apply()
            after = self._teams.find(pool, name)
            change.after = after.public()
        return after


def team_warnings(team: Team, accounts: Sequence[Account], prices: PriceTable) -> list[str]:
    """Return sentences about probable mistakes in *team* of a pool with these *accounts* and *prices*."""
    limits = list(filter(needs_price, (*team.limits, *map(parse_limit, team.key_limits))))
    return unpriced_limits(limits, known_models(accounts), prices) if limits else []


def _checked_texts(texts: Sequence[str]) -> list[str]:
    """Return the limits of new keys in *texts* in canonical form. Raises InvalidRequest."""
    return [format_limit(limit) for limit in _parsed(texts, "key_limits")]


def _parsed(texts: Sequence[str], param: str) -> Sequence[Limit]:
    """Parse the limits in *texts*. Raises InvalidRequest with *param*."""
    try:
        return checked_limits([parse_limit(text) for text in texts])
    except InvalidRequest as error:
        raise InvalidRequest(error.message, param=param) from None
