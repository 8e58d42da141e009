"""Which models the accounts of a pool are known to have, so that a misspelled name is reported as such."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import orjson

from app.accounts.kinds import kind_of
from app.stores import keys
from app.stores.client import store_errors

FRESH_SECONDS = 5.0  # an answer is reused that long, so asking often costs nothing
MAX_POOLS = 64  # whose answer one process retains
_FIELDS = ("kind", "models", "listed")


@dataclass(frozen=True, slots=True)
class _Models:
    """Of one account; `names` is None while its upstream has not been asked: it may have any model."""

    kind: str
    names: frozenset[str] | None


class KnownModels:
    def __init__(self, client: Any, *, demo: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """*demo*: whether accounts of kind `demo` serve requests."""
        self._client = client
        self._demo = demo
        self._clock = clock
        self._read: OrderedDict[str, tuple[float, dict[str, _Models]]] = OrderedDict()

    def lacks(self, pool: str, model: str, account_ids: Collection[str] = ()) -> bool:
        """
        Return whether no account is known, or could turn out, to have *model*.

        *account_ids* are the accounts that may be used; empty: all of the pool. False where there is no
        account at all. Two round trips, at most once in FRESH_SECONDS. Raises StoreUnavailable.
        """
        found = [
            models
            for account_id, models in self._models(pool).items()
            if (not account_ids or account_id in account_ids)
            and (self._demo or not kind_of(models).is_simulated)
        ]
        return bool(found) and all(models.names is not None and model not in models.names for models in found)

    def _models(self, pool: str) -> dict[str, _Models]:
        read_at, models = self._read.get(pool, (0.0, {}))
        if pool not in self._read or self._clock() - read_at > FRESH_SECONDS:
            models = self._fetch(pool)
            self._read[pool] = self._clock(), models
            self._read.move_to_end(pool)
            while len(self._read) > MAX_POOLS:
                self._read.popitem(last=False)
        return models

    def _fetch(self, pool: str) -> dict[str, _Models]:
        with store_errors():
            ids = self._client.hvals(keys.account_names(pool))
            pipeline = self._client.pipeline(transaction=False)
            for account_id in ids:
                pipeline.hmget(keys.account(pool, account_id), _FIELDS)
            records = pipeline.execute()
        return {one: _models_of(*record) for one, record in zip(ids, records, strict=True) if record[0]}


def _models_of(kind: str, models: str | None, listed: str | None) -> _Models:
    names = orjson.loads(models or "[]") or orjson.loads(listed or "[]")
    return _Models(kind, frozenset(names) if names else None)
