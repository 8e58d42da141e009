"""What operators do with API keys. What they may and their limits hold at once, in every process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.errors import InvalidRequest
from app.limits.limit_syntax import parse_limit
from app.operations.base import AuditedOperations
from app.operations.key_warnings import key_warnings
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import Limit
from schemas.admin import MAX_OVERLAP_SECONDS


class Keys(AuditedOperations):
    def create_key(
        self, pool: str, wish: Mapping[str, Any], limits: Sequence[Limit] | None = None
    ) -> tuple[ApiKey, str]:
        """
        Make the key that *wish*, the fields of a valid KeyInput, describes; return it and its secret.

        *limits* are as `parse_limit` returns them; else those that *wish* writes. The secret is
        told this once. Raises InvalidRequest where the name is taken, NotFound for unknown accounts.
        """
        dependencies, name = self._parts, wish["name"]
        limits = list(map(parse_limit, wish.get("limits", ()))) if limits is None else limits
        self._ensure(pool)
        with self._change("key.create", pool, name) as change:
            key, secret = dependencies.api_keys.create(
                pool,
                name,
                models=tuple(wish.get("models", ())),
                accounts=dependencies.accounts.ids(pool, wish.get("accounts", ())),
                limits=tuple(limits),
                **{field: wish[field] for field in ("expires_at", *_SIMPLE) if field in wish},
            )
            change.after = key.public()
        return key, secret

    def change_key(self, pool: str, name: str, wish: Mapping[str, Any]) -> ApiKey:
        """
        Change the key *name* as *wish*, fields of a KeyInput loaded with `partial=True`, says.

        An empty list of models or accounts allows all. `limits` are changed one by one.
        """
        fields = {field: wish[field] for field in ("expires_at", *_SIMPLE) if field in wish}
        if "models" in wish:
            fields["models"] = tuple(dict.fromkeys(wish["models"]))
        if "accounts" in wish:
            fields["accounts"] = self._parts.accounts.ids(pool, wish["accounts"])
        return self._on_key(
            "key.change", pool, name, lambda: self._parts.api_keys.change(pool, name, **fields)
        )

    def key_warnings(self, pool: str, key: ApiKey) -> list[str]:
        """Return what is probably not meant about *key*, which was just made or changed."""
        return key_warnings(key, self._parts.accounts.all(pool), time.time())

    def disable_key(self, pool: str, name: str) -> ApiKey:
        """Refuse the key *name* from now on; requests it has running go on."""
        return self._on_key("key.disable", pool, name, lambda: self._parts.api_keys.disable(pool, name))

    def enable_key(self, pool: str, name: str) -> ApiKey:
        return self._on_key("key.enable", pool, name, lambda: self._parts.api_keys.enable(pool, name))

    def rotate_key(self, pool: str, name: str, overlap_seconds: float = 0) -> tuple[ApiKey, str]:
        """
        Give the key *name* a new secret, told this once; the former one stays good for *overlap_seconds*.

        Raises NotFound, and InvalidRequest for an overlap past 90 days.
        """
        if not 0 <= overlap_seconds <= MAX_OVERLAP_SECONDS:
            raise InvalidRequest("An overlap is between 0 and 90 days", param="overlap")
        before = self._parts.api_keys.find(pool, name)
        with self._change("key.rotate", pool, name) as change:
            key, secret = self._parts.api_keys.rotate(pool, name, overlap_seconds)
            change.before, change.after = before.public(), key.public()
            change.beside = {"overlap_seconds": overlap_seconds}
        return key, secret

    def remove_key(self, pool: str, name: str) -> None:
        """Forget the key *name*; what it used stays in the books."""
        before = self._parts.api_keys.find(pool, name)
        with self._change("key.remove", pool, name) as change:
            change.before = before.public()
            self._parts.api_keys.remove(pool, name)

    def _on_key(self, action: str, pool: str, name: str, do: Callable[[], object]) -> ApiKey:
        before = self._parts.api_keys.find(pool, name)
        with self._change(action, pool, name) as change:
            change.before = before.public()
            do()
            after = self._parts.api_keys.find(pool, name)
            change.after = after.public()
        return after


_SIMPLE = ("raw", "output_tokens", "on_cut")
