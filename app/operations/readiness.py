"""
Decide whether this process can serve requests: the response of `/health/ready`.

A process is not ready only for reasons that another process, or a restart with the right configuration, would
not have: the store cannot be used, or the credentials of the default pool were all encrypted with secret keys
that this process does not have. A pool without accounts, accounts out of use and servers that do not answer
are the same for every process; `poolgate doctor` reports them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from app.accounts.pools import DEFAULT, PoolRepository
from app.operations.stored_accounts import is_readable
from app.stores.health import HealthRepository
from app.stores.records.accounts import AccountState
from app.stores.secrets import Vault

REUSED_SECONDS = 1.0  # how long the result for the credentials is reused
UNREADABLE = "No credential of pool 'default' can be decrypted: check POOLGATE_SECRET_KEYS"
_FIELDS = ("state", "credential", "sign_in", "secrets")


class Readiness:
    def __init__(
        self,
        pools: PoolRepository,
        health: HealthRepository,
        vault: Vault,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pools = pools
        self._health = health
        self._vault = vault
        self._clock = clock
        self._answered_at = -REUSED_SECONDS
        self._is_readable = True

    def reason(self) -> str:
        """
        Return the reason this process is not ready, '' if it is ready. Raises StoreUnavailable.

        One round trip; at most once a second a few more.
        """
        self._pools.ensure(DEFAULT)
        if self._clock() - self._answered_at >= REUSED_SECONDS:
            self._is_readable = self._any_readable()
            self._answered_at = self._clock()
        return "" if self._is_readable else UNREADABLE

    def _any_readable(self) -> bool:
        """Return whether this process can decrypt an account in use; True if none is in use."""
        has_used_account = False
        for fields in self._health.account_fields(DEFAULT, _FIELDS):
            if fields["state"] in (AccountState.PAUSED, AccountState.CREDENTIAL_DEAD):
                continue
            if is_readable(self._vault, fields):
                return True
            has_used_account = True
        return not has_used_account
