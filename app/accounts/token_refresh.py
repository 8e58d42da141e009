"""
Renew expiring sign-ins: one exchange per expiry, over all processes and machines.

A refresh token is valid for one exchange, and a second one ends the sign-in. So a process that
exchanges it takes a fenced lease in the store; the others wait for the new tokens. New tokens are stored
before their first use. If the response to an exchange was lost, the refresh token may be used up. It is then
tried again only when the access token no longer works.

Nothing here is on the path of a request whose token is accepted.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gevent
import structlog

from app.accounts.account import Account
from app.accounts.credentials import CredentialRepository, Lease
from app.accounts.oauth_tokens import Tokens, tokens_from_response
from app.errors import (
    CredentialUnreadable,
    GatewayError,
    StoreUnavailable,
    UpstreamError,
    UpstreamRejected,
    UpstreamUnreachable,
)
from app.stores.records.credentials import FailedExchange, LeaseResult

log = structlog.get_logger()

LEASE_SECONDS = 30.0  # longer than an exchange can take: 5 s to connect, 8 s for the response
MAX_WAIT_SECONDS = 10.0  # how long a request waits for an exchange by any process
POLL_SECONDS = 0.1
COOL_SECONDS = 5.0  # pause after an exchange that failed temporarily
STORE_RETRY_SECONDS = 0.5

EXPIRING, REFUSED = "proactive_expiry", "unauthorized_recovery"  # reasons that are sent to the issuer

# Codes of the issuer that mean that no exchange will work again, as does any other 401.
NEW_SIGN_IN_NEEDED = frozenset(
    {
        "refresh_token_expired",
        "refresh_token_reused",
        "refresh_token_invalidated",
        "invalid_grant",
        "token_invalidated",
        "token_expired",
        "app_session_terminated",
        "account_session_expired",
        "account_auth_invalidated",
        "account_deactivated",
        "account_suspended",
        "account_deleted",
    }
)

Exchange = Callable[[str, str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class RefreshTimes:
    """How long exchanges and their callers wait, in seconds."""

    lease: float = LEASE_SECONDS
    max_wait: float = MAX_WAIT_SECONDS
    poll: float = POLL_SECONDS


class TokenRefresher:
    """
    Renews tokens. One per process. *exchange* sends (refresh token, reason) to the issuer; it returns the
    response.

    It raises UpstreamRejected if the issuer refused the token, another UpstreamError for any other failure.
    """

    def __init__(
        self,
        sign_ins: CredentialRepository,
        exchange: Exchange,
        *,
        clock: Callable[[], float] = time.time,
        times: RefreshTimes = RefreshTimes(),
    ) -> None:
        self._sign_ins = sign_ins
        self._exchange = exchange
        self._clock = clock
        self._times = times
        self._renewals: dict[tuple[str, str, int, bool], gevent.Greenlet] = {}

    def refresh_after_401(self, pool: str, account: Account) -> Account | None:
        """
        Return the account with tokens that the upstream has not refused yet, None if there are none now.

        After None the caller records nothing: the account's state already has the reason, unless the account
        has no sign-in to renew. Waits at most `RefreshTimes.max_wait`. Raises StoreUnavailable.
        """
        if not account.signed_in:
            return None
        try:
            result = self._renewed(pool, account, refused=True)
        except CredentialUnreadable:
            return None  # this process cannot decrypt the tokens; another one may renew them
        return result if isinstance(result, Account) else None

    def refresh_expiring(self, pool: str, account: Account) -> str:
        """Renew tokens that are about to expire; return the result as one word."""
        result = self._renewed(pool, account, refused=False)
        return "renewed" if isinstance(result, Account) else result

    def _renewed(self, pool: str, account: Account, *, refused: bool) -> Account | LeaseResult:
        """
        Start or join the renewal of these tokens.

        It has its own greenlet, which no caller can interrupt.
        """
        name = (pool, account.id, account.rotation, refused)
        if (renewal := self._renewals.get(name)) is None:
            renewal = self._renewals[name] = gevent.spawn(self._outcome, pool, account, refused)
            renewal.link(lambda _: self._renewals.pop(name, None))
        renewal.join(self._times.max_wait)
        if isinstance(renewal.value, GatewayError):
            raise renewal.value
        return renewal.value or LeaseResult.HELD

    def _outcome(self, pool: str, account: Account, refused: bool) -> Account | LeaseResult | GatewayError:
        try:
            return self._renew(pool, account, refused)
        except GatewayError as error:
            return error

    def _renew(self, pool: str, account: Account, refused: bool) -> Account | LeaseResult:
        while True:
            result = self._sign_ins.lease(pool, account, refused=refused, seconds=self._times.lease)
            if isinstance(result, Lease):
                result = self._use(pool, account, result, refused)
            if result is not LeaseResult.HELD or not refused:
                return result
            gevent.sleep(self._times.poll * random.uniform(0.5, 1.5))

    def _use(self, pool: str, account: Account, lease: Lease, refused: bool) -> Account | LeaseResult:
        try:
            response = self._exchange(lease.tokens.refresh_token, REFUSED if refused else EXPIRING)
            tokens = tokens_from_response(response, self._clock(), lease.tokens)
        except UpstreamError as error:
            return self._failed(pool, account, lease, error, refused)
        log.info(
            "tokens_renewed",
            pool=pool,
            account=account.id,
            account_name=account.name,
            rotation=lease.rotation + 1,
        )
        return self._keep(pool, account, lease, tokens)

    def _keep(self, pool: str, account: Account, lease: Lease, tokens: Tokens) -> Account | LeaseResult:
        """Store *tokens*, repeatedly while the store is unavailable: there is no other copy."""
        while True:
            try:
                stored = self._sign_ins.store_tokens(pool, account, lease, tokens)
            except StoreUnavailable:
                log.warning(
                    "tokens_waiting_for_store",
                    former_event="tokens_wait_for_store",
                    pool=pool,
                    account=account.id,
                    account_name=account.name,
                )
                gevent.sleep(STORE_RETRY_SECONDS)
                continue
            if stored is None:
                log.warning(
                    "tokens_discarded",
                    former_event="tokens_came_late",
                    pool=pool,
                    account=account.id,
                    account_name=account.name,
                    fence=lease.fence,
                )
            return stored or LeaseResult.HELD

    def _failed(
        self, pool: str, account: Account, lease: Lease, error: UpstreamError, refused: bool
    ) -> LeaseResult:
        dead = is_permanent(error)
        log.warning(
            "token_refresh_failed",
            pool=pool,
            account=account.id,
            account_name=account.name,
            code=error.code,
            dead=dead,
        )
        failed = FailedExchange(
            reason=error.code or "upstream_error",
            is_permanent=dead,
            is_answered=_is_unused(error),
            was_refused=refused,
            cool_seconds=COOL_SECONDS,
        )
        self._sign_ins.record_failure(pool, account, lease, failed)
        return LeaseResult.DEAD if dead else LeaseResult.COOLING


def is_permanent(error: UpstreamError) -> bool:
    """Return whether the issuer's response means that a person has to sign in again."""
    return isinstance(error, UpstreamRejected) and (
        error.code in NEW_SIGN_IN_NEEDED or error.upstream_status == 401
    )


def _is_unused(error: UpstreamError) -> bool:
    """Return whether the refresh token was certainly not used up: refused, or never sent."""
    return isinstance(error, UpstreamRejected) or (isinstance(error, UpstreamUnreachable) and not error.sent)
