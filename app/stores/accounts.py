"""Read and change the Redis hashes of accounts: fields as text, credentials sealed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from app.stores import keys
from app.stores.known_names import suggest_field
from app.stores.records.accounts import FAILURE_PREFIX, AccountCounts, AccountModels, AccountState, PoolCounts
from app.stores.records.model_routes import GROUP_PREFIX
from app.stores.scripts import Scripts

AccountFields = dict[str, str]


class AccountHashes:
    """The accounts of every pool as Redis stores them: {field: text}."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._client = scripts.client

    def put(self, pool: str, record: Mapping[str, Any], models: Sequence[str]) -> int:
        """Store *record*, the settings of an account; return its new version, -1 if its name is taken."""
        version: int = self._scripts.run(
            "put_account", pool, record["id"], record["name"], orjson.dumps(record), orjson.dumps(models)
        )
        return version

    def set_state(self, pool: str, account_id: str, state: str, reason: str = "") -> None:
        """Set the state of an account, and its reason."""
        self._scripts.run("set_account_state", pool, account_id, state, reason)

    def remove(self, pool: str, account_id: str, *, although_bound: bool) -> list[str]:
        """
        Remove an account.

        If API keys are bound to it and not *although_bound*, return their names instead.
        """
        bound: list[str] = self._scripts.run("remove_account", pool, account_id, int(although_bound))
        return bound

    def observe(self, pool: str, observation: Mapping[str, Any]) -> bool:
        """
        Store *observation*, as observe_account.lua documents it.

        Return whether an account that was out for its credential is in use again.
        """
        return bool(self._scripts.run("observe_account", pool, orjson.dumps(observation)) == 2)

    def id_of(self, pool: str, name: str) -> str | None:
        """Return the id of the account called *name*, None if there is none."""
        account_id: str | None = self._client.hget(keys.account_names(pool), name)
        return account_id

    def ids_of(self, pool: str, names: Sequence[str]) -> list[str | None]:
        """Return the ids of the accounts called *names*, in their order, None for absent ones."""
        ids: list[str | None] = self._client.hmget(keys.account_names(pool), list(names))
        return ids

    def suggest(self, pool: str, name: str) -> str:
        """Return a suggestion of accounts that are called like *name*, '' where there are none."""
        return suggest_field(self._client, keys.account_names(pool), name)

    def names(self, pool: str) -> dict[str, str]:
        """Return {name: id} of all accounts, sorted by name."""
        return dict(sorted(self._client.hgetall(keys.account_names(pool)).items()))

    def read(self, pool: str, account_id: str) -> AccountFields:
        """Return the fields of an account; empty when there is none."""
        fields: AccountFields = self._client.hgetall(keys.account(pool, account_id))
        return fields

    def read_all(self, pool: str) -> list[AccountFields]:
        """Return the fields of every account, by name. Two round trips."""
        pipeline = self._client.pipeline(transaction=False)
        for account_id in self.names(pool).values():
            pipeline.hgetall(keys.account(pool, account_id))
        return [fields for fields in pipeline.execute() if fields]

    def read_some(self, pool: str, names: Sequence[str]) -> list[AccountFields]:
        """Return those of the fields *names* that are set, of every account by name. Two round trips."""
        records = self._read_fields(pool, self.names(pool).values(), names)
        return [fields for record in records if "id" in (fields := _set_fields(names, record))]

    def read_some_and_whether(
        self, pool: str, names: Sequence[str], other: str
    ) -> list[tuple[AccountFields, bool]]:
        """Return what `read_some` returns, each with whether the field *other* is set. Two round trips."""
        pipeline = self._client.pipeline(transaction=False)
        for account_id in self.names(pool).values():
            pipeline.hmget(keys.account(pool, account_id), names)
            pipeline.hexists(keys.account(pool, account_id), other)
        replies = pipeline.execute()
        return [
            (fields, bool(is_set))
            for record, is_set in zip(replies[::2], replies[1::2], strict=True)
            if "id" in (fields := _set_fields(names, record))
        ]

    def groups(self, pool: str) -> dict[str, list[str]]:
        """Return the ids of the accounts of each group, as `group:2`. Two round trips."""
        groups: dict[str, list[str]] = {}
        for fields in self.read_some(pool, ("id", "group")):
            groups.setdefault(f"{GROUP_PREFIX}{fields.get('group', 0)}", []).append(fields["id"])
        return groups

    def forget_exceeded(self, pool: str, account_id: str) -> None:
        """Remove the report that an account billed more than a request allowed."""
        self._client.hdel(keys.account(pool, account_id), "exceeded")

    def remove_fields(self, pool: str, account_id: str, *prefixes: str) -> None:
        """Remove the fields of an account whose names begin with one of *prefixes*."""
        key = keys.account(pool, account_id)
        names = [name for name in self._client.hkeys(key) if name.startswith(prefixes)]
        if names:
            self._client.hdel(key, *names)

    def models(self, pool: str) -> dict[str, AccountModels]:
        """Return the known models of every account, by id. Two round trips."""
        ids = self._client.hvals(keys.account_names(pool))
        records = self._read_fields(pool, ids, ("kind", "models", "listed", "settings"))
        return {
            account_id: _models_of(kind, models, listed, settings)
            for account_id, (kind, models, listed, settings) in zip(ids, records, strict=True)
            if kind
        }

    def count(self, failures: Sequence[str]) -> PoolCounts:
        """
        Count the accounts of all pools, their attempts by each of *failures*, and leases.

        Three round trips.
        """
        pools = sorted(self._client.smembers(keys.POOLS))
        pipeline = self._client.pipeline(transaction=False)
        for pool in pools:
            pipeline.hvals(keys.account_names(pool))
            pipeline.zcard(keys.leases(pool))
        replies = pipeline.execute()
        fields = ("state", "name", "attempts", "rescues", *(FAILURE_PREFIX + failure for failure in failures))
        places = [(pool, each) for pool, ids in zip(pools, replies[::2], strict=True) for each in ids]
        for pool, account_id in places:
            pipeline.hmget(keys.account(pool, account_id), fields)
        accounts = tuple(
            AccountCounts(
                pool,
                name or "",
                state or AccountState.ACTIVE,
                int(attempts or 0),
                int(rescues or 0),
                {failure: int(number or 0) for failure, number in zip(failures, failed, strict=True)},
            )
            for (pool, _), (state, name, attempts, rescues, *failed) in zip(
                places, pipeline.execute(), strict=True
            )
        )
        return PoolCounts(accounts, sum(replies[1::2]))

    def _read_fields(self, pool: str, ids: Iterable[str], names: Sequence[str]) -> list[list[str | None]]:
        pipeline = self._client.pipeline(transaction=False)
        for account_id in ids:
            pipeline.hmget(keys.account(pool, account_id), names)
        records: list[list[str | None]] = pipeline.execute()
        return records


def _set_fields(names: Sequence[str], record: Sequence[str | None]) -> AccountFields:
    return {name: value for name, value in zip(names, record, strict=True) if value is not None}


def _models_of(kind: str, models: str | None, listed: str | None, settings: str | None) -> AccountModels:
    names = orjson.loads(models or "[]") or orjson.loads(listed or "[]")
    if names and settings:
        names += orjson.loads(settings).get("model_names", ())
    return AccountModels(kind, frozenset(names) if names else None)
