"""
Identify callers with a ChatGPT sign-in: an account of a pool that the ChatGPT backend confirms.

The Codex CLI reads its usage with the token of its own sign-in instead of an API key. Account ids are no
secret, so a made-up token must not cost the backend a query each time: refusals are remembered, and an
address or an account with many refused tokens has to wait. A token that was accepted before does not.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.attempt_limit import AttemptLimit
from app.accounts.kinds import kind_of
from app.accounts.pools import PoolRepository
from app.errors import InvalidApiKey, UpstreamRejected

AGREED_SECONDS = 60.0  # how long a confirmation of the backend is valid
LISTED_SECONDS = 1.0  # how long a list of accounts is reused, because unknown callers may send many requests
MAX_AGREED = 1000
REFUSED_SECONDS = 30.0  # how long a refusal is valid; a new sign-in has another token
MAX_REFUSED = 1000
REFUSALS_PER_ADDRESS = 20  # per minute, including running attempts; many users may share an address
REFUSALS_PER_ACCOUNT = 40  # per minute, from all addresses
IPV6_NETWORK_BITS = 64  # one caller usually has all addresses of such a network

REFUSED = "The ChatGPT backend does not know this token"

Usage = Callable[[Account, str], object]


class KnownAccounts:
    """Known callers. *usage* fetches an account's usage with a bearer token; it raises UpstreamError."""

    def __init__(
        self,
        pools: PoolRepository,
        accounts: AccountRepository,
        usage: Usage,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pools = pools
        self._accounts = accounts
        self._usage = usage
        self._clock = clock
        self._listed_at = -LISTED_SECONDS
        self._listed: dict[str, tuple[str, Account]] = {}
        self._agreed: dict[bytes, tuple[float, dict[str, Any]]] = {}
        self._refused: dict[bytes, float] = {}  # digest of the token -> when it was refused; oldest first
        self._by_address = AttemptLimit(REFUSALS_PER_ADDRESS, clock)
        self._by_account = AttemptLimit(REFUSALS_PER_ACCOUNT, clock)

    def identify(self, token: str, chatgpt_account_id: str, address: str = "") -> tuple[str, dict[str, Any]]:
        """
        Return the pool of the account, and the usage that the backend reports.

        *address* is the caller's. Raises InvalidApiKey for an unknown caller, TooManyAttempts after many,
        UpstreamError when the backend does not answer.
        """
        known = self._by_id().get(chatgpt_account_id)
        if known is None:
            raise InvalidApiKey("This ChatGPT account is not known here")
        pool, account = known
        digest = _digest(token, chatgpt_account_id)
        agreed_at, report = self._agreed.get(digest, (-AGREED_SECONDS, {}))
        if self._clock() - agreed_at >= AGREED_SECONDS:
            if digest in self._agreed:
                report = self._fetch_usage(account, token)
            else:
                report = self._verify(digest, account, token, network_of(address))
            if len(self._agreed) >= MAX_AGREED:
                self._agreed.clear()
            self._agreed[digest] = self._clock(), report
        return pool, report

    def _verify(self, digest: bytes, account: Account, token: str, network: str) -> dict[str, Any]:
        """Query the backend with a token that it has not accepted lately, and return the usage."""
        refused_at = self._refused.pop(digest, -REFUSED_SECONDS)
        if self._clock() - refused_at < REFUSED_SECONDS:
            self._refused[digest] = refused_at
            raise InvalidApiKey(REFUSED)
        self._by_address.begin(network)
        self._by_account.begin(account.chatgpt_account_id)
        try:
            report = self._fetch_usage(account, token)
        except InvalidApiKey:
            while len(self._refused) >= MAX_REFUSED:
                del self._refused[next(iter(self._refused))]
            self._refused[digest] = self._clock()
            raise
        self._by_address.succeeded(network)
        self._by_account.succeeded(account.chatgpt_account_id)
        return report

    def _fetch_usage(self, account: Account, token: str) -> dict[str, Any]:
        try:
            report = self._usage(account, token)
        except UpstreamRejected as error:
            if error.upstream_status in (401, 403):
                self._agreed.pop(_digest(token, account.chatgpt_account_id), None)
                raise InvalidApiKey(REFUSED) from None
            raise
        return report if isinstance(report, dict) else {}

    def _by_id(self) -> dict[str, tuple[str, Account]]:
        if self._clock() - self._listed_at >= LISTED_SECONDS:
            self._listed = {
                account.chatgpt_account_id: (pool, account)
                for pool in self._pools.names()
                for account in self._accounts.all(pool)
                if kind_of(account).has_sign_in and account.chatgpt_account_id
            }
            self._listed_at = self._clock()
        return self._listed


def network_of(address: str) -> str:
    """Return the IPv4 address or IPv6 network that represents the caller at *address*, '' if unknown."""
    with suppress(ValueError):
        if ip_address(address).version == 6:
            return str(ip_network(f"{address}/{IPV6_NETWORK_BITS}", strict=False))
        return address
    return ""


def _digest(token: str, chatgpt_account_id: str) -> bytes:
    return hashlib.sha256(f"{chatgpt_account_id}\n{token}".encode()).digest()
