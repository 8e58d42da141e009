"""Whether another account could serve a request that waits for its first token: if not, it waits on."""

from __future__ import annotations

from collections.abc import Callable, Collection

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.failures import AccountState
from app.errors import StoreUnavailable
from app.relay.context import RequestContext
from app.translation.requests.field_support import AccountRequirements

FRESH_SECONDS = 5.0  # many requests may look at the same moment: each pool is read once in so long
MAX_POOLS = 100  # of which the accounts are remembered
AVAILABLE = (AccountState.ACTIVE, AccountState.BURST_LIMITED)  # now, or within seconds


class OtherAccounts:
    """Reads the accounts of a pool only where an answer is late, which is seldom."""

    def __init__(self, accounts: AccountRepository, clock: Callable[[], float], *, demo: bool) -> None:
        self._accounts = accounts
        self._clock = clock
        self._demo = demo
        self._seen: dict[str, tuple[float, list[Account]]] = {}

    def exist(self, context: RequestContext, fit: AccountRequirements, excluded: Collection[str]) -> bool:
        """Return whether an account could serve *call*, except those whose ids are *excluded*."""
        if context.pin or context.ownership:
            return False
        accounts = self._accounts_of(context.key.pool)
        # admission goes by lists no more than this: a name that no account lists may be served by any
        is_listed = any(context.model in account.listed for account in accounts)
        return any(
            account.id not in excluded and self._could_serve(account, context, fit, is_listed=is_listed)
            for account in accounts
        )

    def _could_serve(
        self, account: Account, context: RequestContext, fit: AccountRequirements, *, is_listed: bool
    ) -> bool:
        known = account.models or (account.listed if is_listed else ())
        return (
            account.state in AVAILABLE
            and (account.kind != "demo" or self._demo)
            and (not known or context.model in known)
            and (not fit.protocol or fit.protocol in account.wires)
            and account.kind not in fit.unfit_kinds
            and (not context.kinds or account.kind in context.kinds.split())
            and (not context.key.accounts or account.id in context.key.accounts)
        )

    def _accounts_of(self, pool: str) -> list[Account]:
        now = self._clock()
        at, accounts = self._seen.get(pool, (now - FRESH_SECONDS, []))
        if now < at + FRESH_SECONDS:
            return accounts
        try:
            accounts = self._accounts.all(pool)
        except StoreUnavailable:
            return []  # none could be chosen now
        if len(self._seen) >= MAX_POOLS:
            self._seen.clear()
        self._seen[pool] = now, accounts
        return accounts
