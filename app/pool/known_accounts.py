"""
Who a ChatGPT sign-in that calls us is: an account of some pool, if the ChatGPT backend agrees.

The Codex CLI asks for its usage with the token of its own sign-in instead of an API key.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from app.errors import InvalidApiKey, UpstreamRejected
from app.pool.account import Account
from app.pool.accounts import AccountBook
from app.pool.pools import PoolBook

AGREED_SECONDS = 60.0  # how long the backend's word is believed
LISTED_SECONDS = 1.0  # how long a list of accounts is: strangers may ask as often as they like
MOST_AGREED = 1000

Usage = Callable[[Account, str], object]


class KnownAccounts:
    """*usage* asks the backend for the usage of an account, with a bearer token; raises UpstreamError."""

    def __init__(
        self,
        pools: PoolBook,
        accounts: AccountBook,
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

    def identify(self, token: str, chatgpt_account_id: str) -> tuple[str, dict[str, Any]]:
        """
        Return the pool of the account, and what the backend says of its usage.

        Raises InvalidApiKey for a stranger, UpstreamError where the backend cannot be asked.
        """
        known = self._by_id().get(chatgpt_account_id)
        if known is None:
            raise InvalidApiKey("This ChatGPT account is not known here")
        pool, account = known
        asked = hashlib.sha256(f"{chatgpt_account_id}\n{token}".encode()).digest()
        agreed_at, told = self._agreed.get(asked, (-AGREED_SECONDS, {}))
        if self._clock() - agreed_at >= AGREED_SECONDS:
            told = self._ask(account, token)
            if len(self._agreed) >= MOST_AGREED:
                self._agreed.clear()
            self._agreed[asked] = self._clock(), told
        return pool, told

    def _ask(self, account: Account, token: str) -> dict[str, Any]:
        try:
            told = self._usage(account, token)
        except UpstreamRejected as error:
            if error.upstream_status in (401, 403):
                raise InvalidApiKey("The ChatGPT backend does not know this token") from None
            raise
        return told if isinstance(told, dict) else {}

    def _by_id(self) -> dict[str, tuple[str, Account]]:
        if self._clock() - self._listed_at >= LISTED_SECONDS:
            self._listed = {
                account.chatgpt_account_id: (pool, account)
                for pool in self._pools.names()
                for account in self._accounts.all(pool)
                if account.kind == "chatgpt" and account.chatgpt_account_id
            }
            self._listed_at = self._clock()
        return self._listed
