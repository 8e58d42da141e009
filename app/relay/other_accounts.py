"""Whether another account could serve a request whose first token is late; if none can, it waits on."""

from __future__ import annotations

from collections.abc import Callable, Collection

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.kinds import kind_of
from app.accounts.offered_models import candidates
from app.errors import StoreUnavailable
from app.relay.context import RequestContext
from app.stores.records.accounts import AccountState
from app.translation.requests.account_requirements import AccountRequirements

FRESH_SECONDS = 5.0  # for how long the accounts of a pool are cached: many requests check at once
MAX_POOLS = 100  # how many pools are cached
# States in which an account serves now or within seconds
AVAILABLE = (AccountState.ACTIVE, AccountState.BURST_LIMITED)


class OtherAccounts:
    """Reads the accounts of a pool only when a response is late, which is rare."""

    def __init__(self, accounts: AccountRepository, clock: Callable[[], float], *, demo: bool) -> None:
        self._accounts = accounts
        self._clock = clock
        self._demo = demo
        self._cached: dict[str, tuple[float, list[Account]]] = {}

    def could_serve(
        self, context: RequestContext, requirements: AccountRequirements, excluded: Collection[str]
    ) -> bool:
        """Return whether an account could serve *context*, except those whose ids are *excluded*."""
        if context.routing.account_id or context.routing.ownership:
            return False
        model = context.request.model
        accounts = [
            account
            for account in self._accounts_of(context.caller.key.pool)
            if context.caller.key.may_use_account(account.id)
            and (not context.routing.accounts or account.id in context.routing.accounts)
        ]
        eligible = [account for account in accounts if self._is_eligible(account, context, requirements)]
        return any(
            account.id not in excluded and account.state in AVAILABLE
            for account in candidates(eligible, model, unlisted_kinds=requirements.unlisted_kinds)
        )

    def _is_eligible(
        self, account: Account, context: RequestContext, requirements: AccountRequirements
    ) -> bool:
        return (
            (self._demo or not kind_of(account).is_simulated)
            and (
                not requirements.protocol
                or requirements.is_preference
                or requirements.protocol in account.protocols
            )
            and account.kind not in requirements.ineligible_kinds
            and (not context.routing.account_kinds or account.kind in context.routing.account_kinds)
        )

    def _accounts_of(self, pool: str) -> list[Account]:
        now = self._clock()
        read_at, accounts = self._cached.get(pool, (now - FRESH_SECONDS, []))
        if now < read_at + FRESH_SECONDS:
            return accounts
        try:
            accounts = self._accounts.all(pool)
        except StoreUnavailable:
            return []  # while the store is away, no account can be selected
        if len(self._cached) >= MAX_POOLS:
            self._cached.clear()
        self._cached[pool] = now, accounts
        return accounts
