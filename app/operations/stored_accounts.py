"""The accounts of a pool as checks read them: with job results, and whether their secrets are readable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.accounts.account import Account
from app.accounts.account_reading import account_from
from app.accounts.job_results import JobResult
from app.operations.check_stores import CheckStores
from app.stores.records.accounts import AccountState
from app.stores.secrets import UnreadableSecret, Vault

# results of the job `models` when the server did not answer
UNREACHABLE = ("upstream_unavailable", "stream_idle_timeout", "upstream_request_timeout")
_SEALED = ("credential", "sign_in", "secrets")


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """A stored account; `fields` is its hash, `is_readable` whether its secrets can be decrypted here."""

    account: Account
    fields: Mapping[str, str]
    is_readable: bool

    def job_result(self, job: str) -> JobResult:
        """Return the result of the latest run of *job*."""
        return JobResult.from_json(self.fields.get(f"look_{job}"))

    @property
    def is_unpaid(self) -> bool:
        """Whether its provider requires payment; also during the test of whether it still does."""
        state, unpaid = self.account.state, AccountState.PAYMENT_REQUIRED
        return state == unpaid or (state == AccountState.ACTIVE and self.fields.get("probe") == unpaid)

    @property
    def is_unreachable(self) -> bool:
        result = self.job_result("models")
        return bool(result.reason) or result.code in UNREACHABLE


def read_accounts(stores: CheckStores, pool: str) -> list[StoredAccount]:
    """Return every account of *pool* by name. Two round trips. Raises StoreUnavailable."""
    return [_stored(stores, fields) for fields in stores.accounts.read_all(pool)]


def read_account(stores: CheckStores, pool: str, account_id: str) -> StoredAccount | None:
    """Return one account of *pool*, None if it was removed. Raises StoreUnavailable."""
    fields = stores.accounts.read(pool, account_id)
    return _stored(stores, fields) if fields else None


def _stored(stores: CheckStores, fields: Mapping[str, str]) -> StoredAccount:
    return StoredAccount(account_from(fields, lambda _: ""), fields, is_readable(stores.vault, fields))


def is_readable(vault: Vault, fields: Mapping[str, str | None]) -> bool:
    """Return whether *vault* has the key with which the secrets of a stored account were encrypted."""
    try:
        for name in _SEALED:
            if sealed := fields.get(name):
                vault.open(sealed)
    except UnreadableSecret:
        return False
    return True
