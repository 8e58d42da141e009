"""The sign-ins of accounts: their tokens, and leases on exchanging them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.oauth_tokens import Tokens
from app.errors import CredentialUnreadable, InvalidRequest
from app.stores.accounts import AccountStore
from app.stores.scripts import Scripts


class Verdict(StrEnum):
    """Why the refresh token may not be exchanged now; see lua/lease_refresh.lua."""

    RENEWED = "renewed"
    HELD = "held"
    COOLING = "cooling"
    UNANSWERED = "unanswered"
    DEAD = "dead"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to exchange `tokens`, until a newer lease is granted."""

    fence: int
    rotation: int
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class FailedExchange:
    """How an exchange failed; see lua/fail_refresh.lua for the flags."""

    reason: str
    is_permanent: bool = False  # whether a person has to sign in again
    is_answered: bool = True  # whether the refresh token was surely not used up
    was_refused: bool = False  # whether the upstream refused the access token
    cool_seconds: float = 0.0  # until the next exchange may be tried


class CredentialRepository:
    def __init__(self, scripts: Scripts, accounts: AccountRepository) -> None:
        self._scripts = scripts
        self._store = AccountStore(scripts)
        self._accounts = accounts

    def read(self, pool: str, account: Account) -> Tokens:
        """Return the tokens of *account*. Raises InvalidRequest when it has no sign-in."""
        sealed = self._store.sealed_sign_in(pool, account.id)
        if not sealed:
            raise InvalidRequest(f"Account '{account.name}' has no sign-in", param="name")
        return self._accounts.open_tokens(sealed)

    def replace(self, pool: str, account: Account, tokens: Tokens) -> Account:
        """Give *account* the tokens of a new sign-in, and bring it back if its credential was dead."""
        request = {"account": account.id, **self._accounts.seal_tokens(tokens)}
        version = self._scripts.run("replace_tokens", pool, orjson.dumps(request))
        return self._accounts.get(pool, account.id, version)

    def lease(
        self, pool: str, account: Account, *, refused: bool, seconds: float
    ) -> Lease | Account | Verdict:
        """
        Return the right to exchange the refresh token of *account*, or why there is none.

        An account is the answer when its tokens have been replaced: the account as it is now.
        """
        request = {
            "account": account.id,
            "rotation": account.rotation,
            "refused": refused,
            "ttl_ms": int(seconds * 1000),
        }
        reply = self._scripts.run_json("lease_refresh", pool, request)
        if reply["verdict"] == "leased":
            return self._leased(pool, account, reply)
        if reply["verdict"] == Verdict.RENEWED:
            return self._accounts.get(pool, account.id, reply["version"])
        return Verdict(reply["verdict"])

    def _leased(self, pool: str, account: Account, reply: dict[str, Any]) -> Lease:
        """Return the lease in *reply*. Raises CredentialUnreadable, and gives the lease back then."""
        try:
            tokens = self._accounts.open_tokens(reply["sign_in"])
        except CredentialUnreadable as error:
            failed = FailedExchange(error.code or "credential_unreadable")
            self._give_back(pool, account.id, reply["fence"], failed)
            raise
        return Lease(reply["fence"], reply["rotation"], tokens)

    def store_tokens(self, pool: str, account: Account, lease: Lease, tokens: Tokens) -> Account | None:
        """Store what the exchange brought and return the account with it; None when *lease* came too late."""
        request = {
            "account": account.id,
            "fence": lease.fence,
            "rotation": lease.rotation,
            **self._accounts.seal_tokens(tokens),
        }
        version = self._scripts.run("store_tokens", pool, orjson.dumps(request))
        return self._accounts.get(pool, account.id, version) if version else None

    def record_failure(self, pool: str, account: Account, lease: Lease, failed: FailedExchange) -> None:
        """Give *lease* back after an exchange that failed."""
        self._give_back(pool, account.id, lease.fence, failed)

    def _give_back(self, pool: str, account_id: str, fence: int, failed: FailedExchange) -> None:
        request = {
            "account": account_id,
            "fence": fence,
            "reason": failed.reason[:80],
            "dead": failed.is_permanent,
            "answered": failed.is_answered,
            "refused": failed.was_refused,
            "cool_ms": int(failed.cool_seconds * 1000),
        }
        self._scripts.run("fail_refresh", pool, orjson.dumps(request))
