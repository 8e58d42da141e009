"""Which of several failures the caller receives, if no account answers a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from app.accounts.failures import Failure
from app.accounts.verdicts import Verdict
from app.errors import UpstreamError

# From failures that a caller can act on, or that end by themselves, to those that only an operator can
# correct.
PRECEDENCE: tuple[tuple[Failure, ...], ...] = (
    (Failure.BURST_LIMITED, Failure.MODEL_LIMITED),  # wait for seconds
    (Failure.OVERLOADED,),
    (Failure.SERVER_ERROR, Failure.SLOW, Failure.RESET, Failure.CUT),  # a server has accepted the request
    (Failure.UNREACHABLE, Failure.BLOCKED, Failure.GARBLED),
    (Failure.WINDOW_SPENT, Failure.PAYMENT_REQUIRED),  # clients such as Codex stop at it
    (Failure.UNSUPPORTED,),  # another account may support it
    (Failure.MODEL_MISSING,),  # only true of the pool if every account lacks it
    (Failure.REDIRECTED, Failure.ENDPOINT_MISSING, Failure.CREDENTIAL),  # the account is configured wrongly
)
_RANKS = {failure: rank for rank, failures in enumerate(PRECEDENCE) for failure in failures}
# Failures after which no other account is tried, or which end the request at once. They are always the last.
FINAL = frozenset(Failure) - set(_RANKS)


@dataclass(frozen=True, slots=True)
class AccountFailure:
    """The newest failure of an account in one request."""

    account_id: str
    verdict: Verdict
    error: UpstreamError
    for_client: UpstreamError  # *error* as the client may receive it
    comes_last: bool = False  # the account has failed and not answered since

    @property
    def is_misconfigured(self) -> bool:
        """Whether the failure probably shows only how the account is configured."""
        return self.comes_last or self.verdict.failure in PRECEDENCE[-1]


def most_informative(failures: Sequence[AccountFailure]) -> AccountFailure:
    """
    Return which of *failures*, in the order of the attempts and at least one, the caller receives.

    Those of accounts that come last count only if there are no others. Of the rest it is the first by
    PRECEDENCE, then the one with the shortest wait, then the newest. A final failure is always received.
    """
    newest = failures[-1]
    if newest.verdict.failure in FINAL:
        return newest
    return min(reversed(failures), key=_order)


def _order(each: AccountFailure) -> tuple[bool, int, float]:
    wait = each.error.retry_after_seconds
    return each.comes_last, _RANKS.get(each.verdict.failure, -1), inf if wait is None else wait
