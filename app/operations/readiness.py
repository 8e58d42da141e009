"""
Whether this process can serve requests: what `/health/ready` answers.

Not ready are only conditions that another process, or this one after a restart with the right
configuration, would not have: the store cannot be used, or every credential of the default pool
was encrypted with secret keys that this process does not have. A pool without accounts, accounts
that rest and servers that do not answer are the same for every process; they are findings of
`poolgate doctor`, the overview and the admin API.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from app.accounts.failures import AccountState
from app.accounts.pools import DEFAULT, PoolRepository
from app.operations.check_accounts import is_readable
from app.stores import keys
from app.stores.client import store_errors
from app.stores.secrets import Vault

REUSED_SECONDS = 1.0  # how long an answer about the credentials is reused
BATCH = 50  # accounts read at a time; the first that can be used ends it
UNREADABLE = "No credential of pool 'default' can be decrypted: check POOLGATE_SECRET_KEYS"
_FIELDS = ("state", "credential", "sign_in")


class Readiness:
    def __init__(
        self, pools: PoolRepository, client: Any, vault: Vault, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pools = pools
        self._client = client
        self._vault = vault
        self._clock = clock
        self._answered_at = -REUSED_SECONDS
        self._is_readable = True

    def reason(self) -> str:
        """
        Return why this process is not ready, '' when it is. Raises StoreUnavailable.

        One round trip; at most once a second a few more.
        """
        self._pools.ensure(DEFAULT)
        if self._clock() - self._answered_at >= REUSED_SECONDS:
            self._is_readable = self._any_readable()
            self._answered_at = self._clock()
        return "" if self._is_readable else UNREADABLE

    def _any_readable(self) -> bool:
        """Return whether the secrets of any account in use can be decrypted, or there is no such account."""
        with store_errors():
            ids = self._client.hvals(keys.account_names(DEFAULT))
        is_used = False
        for first in range(0, len(ids), BATCH):
            with store_errors():
                pipeline = self._client.pipeline(transaction=False)
                for account_id in ids[first : first + BATCH]:
                    pipeline.hmget(keys.account(DEFAULT, account_id), _FIELDS)
                records = pipeline.execute()
            for values in records:
                fields = dict(zip(_FIELDS, values, strict=True))
                if fields["state"] in (AccountState.PAUSED, AccountState.CREDENTIAL_DEAD):
                    continue
                if is_readable(self._vault, fields):
                    return True
                is_used = True
        return not is_used
