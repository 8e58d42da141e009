"""Change the API keys of a pool. Every change takes effect immediately, in every process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.errors import InvalidRequest, NotFound
from app.limits.limit_syntax import parse_limit
from app.operations.audit_trail import AuditedOperations, AuditTrail
from app.operations.key_warnings import key_warnings
from app.operations.unpriced_models import ModelStores
from app.stores.api_keys import ApiKeyRepository
from app.stores.records.api_keys import FOREIGN_POOL, ApiKey
from app.stores.records.limits import Limit
from app.stores.records.teams import Team
from app.stores.teams import TeamRepository
from schemas.admin import MAX_OVERLAP_SECONDS

_PLAIN_FIELDS = (
    *("expires_at", "raw", "output_tokens", "on_cut", "team", "owner", "labels"),
    *("queue_seconds", "weight"),
)


class ApiKeyOperations(AuditedOperations):
    def __init__(
        self, audit: AuditTrail, api_keys: ApiKeyRepository, teams: TeamRepository, models: ModelStores
    ) -> None:
        super().__init__(audit)
        self._api_keys = api_keys
        self._teams = teams
        self._models = models

    def create(
        self, pool: str, fields: Mapping[str, Any], limits: Sequence[Limit] | None = None
    ) -> tuple[ApiKey, str]:
        """
        Create the key that *fields*, those of a valid KeyInput, describe; return it and its secret.

        *limits* are results of `parse_limit` and replace the texts in *fields*. Without either, the key gets
        the limits that its team has for new keys. The secret is returned only here; it is '' if *fields* have
        the SHA-256 of another gateway's key. Raises InvalidRequest if the name is taken, NotFound for unknown
        accounts and teams.
        """
        name, foreign_digest = fields["name"], fields.get("sha256", "")
        if foreign_digest and pool != FOREIGN_POOL:
            raise InvalidRequest(
                f"Keys of other gateways name no pool, so they work only in the pool '{FOREIGN_POOL}'",
                param="sha256",
            )
        team = self._find_team(pool, fields["team"]) if fields.get("team") else None
        if limits is None:
            given = team.key_limits if team and "limits" not in fields else fields.get("limits", ())
            limits = list(map(parse_limit, given))
        self._audit.ensure_pool(pool)
        with self._audit.change("key.create", pool, name) as change:
            key, secret = self._api_keys.create(
                pool,
                name,
                foreign_digest=foreign_digest,
                models=tuple(fields.get("models", ())),
                accounts=self._models.accounts.ids(pool, fields.get("accounts", ())),
                limits=tuple(limits),
                **{field: fields[field] for field in _PLAIN_FIELDS if field in fields},
            )
            change.after = key.public()
            change.extra = {"imported": True} if foreign_digest else {}
        return key, secret

    def change(self, pool: str, name: str, changes: Mapping[str, Any]) -> ApiKey:
        """
        Change the key *name*; *changes* are fields of a KeyInput loaded with `partial=True`.

        An empty list of models or accounts allows all; a team of None removes the key from its team.
        `LimitOperations` changes the limits.
        """
        fields = {field: changes[field] for field in _PLAIN_FIELDS if field in changes}
        if "models" in changes:
            fields["models"] = tuple(dict.fromkeys(changes["models"]))
        if "accounts" in changes:
            fields["accounts"] = self._models.accounts.ids(pool, changes["accounts"])
        return self._change_key("key.change", pool, name, lambda: self._api_keys.change(pool, name, **fields))

    def find_warnings(self, pool: str, key: ApiKey) -> list[str]:
        """Return sentences about probable mistakes in *key*, which was just created or changed."""
        stores = self._models
        prices, routes = stores.prices.current(pool), stores.routes.current(pool)
        return key_warnings(key, stores.accounts.all(pool), time.time(), prices, routes)

    def disable(self, pool: str, name: str) -> ApiKey:
        """Refuse the key *name* from now on; its running requests continue."""
        return self._change_key("key.disable", pool, name, lambda: self._api_keys.disable(pool, name))

    def enable(self, pool: str, name: str) -> ApiKey:
        return self._change_key("key.enable", pool, name, lambda: self._api_keys.enable(pool, name))

    def rotate(self, pool: str, name: str, overlap_seconds: float = 0) -> tuple[ApiKey, str]:
        """
        Give the key *name* a new secret; the old one stays valid for *overlap_seconds*.

        Returns the key and the secret, which is returned only here. Raises NotFound, and InvalidRequest for
        an overlap of more than 90 days.
        """
        if not 0 <= overlap_seconds <= MAX_OVERLAP_SECONDS:
            raise InvalidRequest("An overlap is between 0 and 90 days", param="overlap")
        before = self._api_keys.find(pool, name)
        with self._audit.change("key.rotate", pool, name) as change:
            key, secret = self._api_keys.rotate(pool, name, overlap_seconds)
            change.before, change.after = before.public(), key.public()
            change.extra = {"overlap_seconds": overlap_seconds}
        return key, secret

    def remove(self, pool: str, name: str) -> None:
        """Remove the key *name*; its ledger entries stay."""
        before = self._api_keys.find(pool, name)
        with self._audit.change("key.remove", pool, name) as change:
            change.before = before.public()
            self._api_keys.remove(pool, name)

    def _find_team(self, pool: str, name: str) -> Team:
        try:
            return self._teams.find(pool, name)
        except NotFound as error:
            raise NotFound(error.message, param="team") from None

    def _change_key(self, action: str, pool: str, name: str, apply: Callable[[], object]) -> ApiKey:
        before = self._api_keys.find(pool, name)
        with self._audit.change(action, pool, name) as change:
            change.before = before.public()
            apply()
            after = self._api_keys.find(pool, name)
            change.after = after.public()
        return after
