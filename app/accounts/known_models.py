"""The models that accounts of a pool are known to have, so that a misspelled name is reported as such."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection

from app.accounts.kinds import kind_of
from app.stores.accounts import AccountHashes
from app.stores.records.accounts import AccountModels
from app.stores.scripts import Scripts

FRESH_SECONDS = 5.0  # how long a result is reused
MAX_POOLS = 64  # pools whose result one process caches


class KnownModels:
    def __init__(self, scripts: Scripts, *, demo: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """*demo*: whether accounts of kind `demo` serve requests."""
        self._store = AccountHashes(scripts)
        self._demo = demo
        self._clock = clock
        self._read: OrderedDict[str, tuple[float, dict[str, AccountModels]]] = OrderedDict()

    def lacks(
        self,
        pool: str,
        model: str,
        account_ids: Collection[str] = (),
        unlisted_kinds: Collection[str] = (),
    ) -> bool:
        """
        Return whether it is certain that no account has *model*.

        *account_ids* are the accounts that may be used; empty: all of the pool. Accounts of *unlisted_kinds*
        may have it although they do not list it. False where there is no account at all. Two round trips, at
        most once in FRESH_SECONDS. Raises StoreUnavailable.
        """
        usable = [
            models
            for account_id, models in self._models(pool).items()
            if (not account_ids or account_id in account_ids)
            and (self._demo or not kind_of(models).is_simulated)
        ]
        return bool(usable) and all(
            models.names is not None and model not in models.names and models.kind not in unlisted_kinds
            for models in usable
        )

    def _models(self, pool: str) -> dict[str, AccountModels]:
        read_at, models = self._read.get(pool, (0.0, {}))
        if pool not in self._read or self._clock() - read_at > FRESH_SECONDS:
            models = self._store.models(pool)
            self._read[pool] = self._clock(), models
            self._read.move_to_end(pool)
            while len(self._read) > MAX_POOLS:
                self._read.popitem(last=False)
        return models
