"""The sign-ins of accounts: their tokens, and leases on exchanging them."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.oauth_tokens import Tokens
from app.errors import CredentialUnreadable, InvalidRequest
from app.stores.credentials import SealedTokenRepository
from app.stores.records.credentials import FailedExchange, LeaseReply, LeaseResult
from app.stores.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to exchange `tokens`, until a newer lease is granted."""

    fence: int
    rotation: int
    tokens: Tokens


class CredentialRepository:
    def __init__(self, scripts: Scripts, accounts: AccountRepository) -> None:
        self._store = SealedTokenRepository(scripts)
        self._accounts = accounts

    def read(self, pool: str, account: Account) -> Tokens:
        """Return the tokens of *account*. Raises InvalidRequest when it has no sign-in."""
        sealed = self._store.read(pool, account.id)
        if not sealed:
            raise InvalidRequest(f"Account '{account.name}' has no sign-in", param="name")
        return self._accounts.open_tokens(sealed)

    def replace(self, pool: str, account: Account, tokens: Tokens) -> Account:
        """Give *account* the tokens of a new sign-in; it becomes active if its credential was dead."""
        version = self._store.replace(pool, account.id, self._accounts.seal_tokens(tokens))
        return self._accounts.get(pool, account.id, version)

    def lease(
        self, pool: str, account: Account, *, refused: bool, seconds: float
    ) -> Lease | Account | LeaseResult:
        """
        Return the right to exchange the refresh token of *account*, or why there is none.

        An account is returned when its tokens have been replaced: the account as it is now.
        """
        reply = self._store.lease(pool, account.id, account.rotation, was_refused=refused, seconds=seconds)
        if reply.verdict is LeaseResult.LEASED:
            return self._leased(pool, account, reply)
        if reply.verdict is LeaseResult.RENEWED:
            return self._accounts.get(pool, account.id, reply.version)
        return reply.verdict

    def _leased(self, pool: str, account: Account, reply: LeaseReply) -> Lease:
        """
        Return the lease in *reply*.

        If its tokens cannot be read, release it and raise CredentialUnreadable.
        """
        try:
            tokens = self._accounts.open_tokens(reply.sign_in)
        except CredentialUnreadable as error:
            failed = FailedExchange(error.code or "credential_unreadable")
            self._store.record_failure(pool, account.id, reply.fence, failed)
            raise
        return Lease(reply.fence, reply.rotation, tokens)

    def store_tokens(self, pool: str, account: Account, lease: Lease, tokens: Tokens) -> Account | None:
        """Store the tokens of an exchange and return the account with them; None if *lease* is outdated."""
        sealed = self._accounts.seal_tokens(tokens)
        version = self._store.store(pool, account.id, lease.fence, lease.rotation, sealed)
        return self._accounts.get(pool, account.id, version) if version else None

    def record_failure(self, pool: str, account: Account, lease: Lease, failed: FailedExchange) -> None:
        """Release *lease* after an exchange that failed, and record the failure."""
        self._store.record_failure(pool, account.id, lease.fence, failed)
