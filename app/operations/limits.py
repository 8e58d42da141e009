"""Change limits of keys, of teams, or of a pool (if neither key nor team is given)."""

from __future__ import annotations

from typing import TypedDict

from app.limits.limit_syntax import format_limit
from app.operations.audit_trail import AuditedOperations, AuditTrail
from app.operations.key_warnings import limit_models, same_limits
from app.operations.unpriced_models import (
    ModelStores,
    ReachableModels,
    known_models,
    needs_price,
    unpriced_limits,
)
from app.stores.api_keys import ApiKeyRepository
from app.stores.limits import FOR_POOL, LimitRepository, for_team
from app.stores.records.limits import Limit
from app.stores.teams import TeamRepository


class AuditedLimit(TypedDict):
    """The fields of a limit in the audit log; *limit* is its text."""

    id: str
    limit: str


class LimitOperations(AuditedOperations):
    def __init__(
        self,
        audit: AuditTrail,
        limits: LimitRepository,
        api_keys: ApiKeyRepository,
        teams: TeamRepository,
        models: ModelStores,
    ) -> None:
        super().__init__(audit)
        self._limits = limits
        self._api_keys = api_keys
        self._teams = teams
        self._models = models

    def add(self, pool: str, limit: Limit, key: str | None = None, *, team: str | None = None) -> Limit:
        """
        Add *limit*, a result of `parse_limit`; usage since the start of its current window counts.

        If there is an equal limit, it stays as it is and is returned: see `was_there`.
        """
        owner = self._owner_id(pool, key, team)
        for stored in self._limits.all(pool, owner):
            if stored.is_equal(limit):
                return stored
        with self._audit.change("limit.add", pool, team or key or pool) as change:
            added = self._limits.add(pool, limit, owner)
            change.after = _audited_fields(added)
        return added

    def change(
        self, pool: str, limit_id: str, limit: Limit, key: str | None = None, *, team: str | None = None
    ) -> Limit:
        """
        Give a limit the maximum and mode of *limit*; its counted usage stays.

        Raises NotFound, and InvalidRequest if *limit* counts something else.
        """
        owner = self._owner_id(pool, key, team)
        before = self._find(pool, owner, limit_id)
        with self._audit.change("limit.change", pool, team or key or pool) as change:
            changed = self._limits.edit(pool, limit_id, limit, owner)
            change.before, change.after = before, _audited_fields(changed)
            change.extra = {"limit": limit_id}
        return changed

    def find_warnings(
        self, pool: str, limit: Limit, key: str | None = None, *, team: str | None = None
    ) -> list[str]:
        """Return sentences about what is probably a mistake in *limit*, which was just added or changed."""
        stores = self._models
        same = same_limits(self._limits.all(pool, self._owner_id(pool, key, team)), limit)
        if limit.model is None and not needs_price(limit):
            return same
        accounts = stores.accounts.all(pool)
        models = known_models(accounts)
        if key is not None:
            owner = self._api_keys.find(pool, key)
            accounts = [account for account in accounts if owner.may_use_account(account.id)]
            models = ReachableModels(accounts, stores.routes.current(pool)).of(owner)
        return [
            *same,
            *limit_models([limit], accounts),
            *unpriced_limits([limit], models, stores.prices.current(pool)),
        ]

    def remove(self, pool: str, limit_id: str, key: str | None = None, *, team: str | None = None) -> None:
        """Remove a limit and its counted usage. Raises NotFound."""
        owner = self._owner_id(pool, key, team)
        before = self._find(pool, owner, limit_id)
        with self._audit.change("limit.remove", pool, team or key or pool) as change:
            change.before = before
            self._limits.remove(pool, limit_id, owner)

    def _owner_id(self, pool: str, key: str | None, team: str | None) -> str:
        if team is not None:
            return for_team(self._teams.find(pool, team).name)
        return FOR_POOL if key is None else self._api_keys.find(pool, key).id

    def _find(self, pool: str, owner: str, limit_id: str) -> AuditedLimit | None:
        limits = self._limits.all(pool, owner)
        return next((_audited_fields(limit) for limit in limits if limit.id == limit_id), None)


def was_there(limit: Limit, added: Limit) -> bool:
    """Return whether *added*, the result of adding *limit*, is an equal limit that there was already."""
    return added.id != limit.id


def _audited_fields(limit: Limit) -> AuditedLimit:
    return {"id": limit.id, "limit": format_limit(limit)}
