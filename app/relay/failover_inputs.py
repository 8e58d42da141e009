"""What failover is given: the steps that it delegates, and what bounds its attempts."""

from __future__ import annotations

from collections.abc import Callable

from app.accounts.account import Account
from app.errors import UpstreamError
from app.records import record
from app.relay.adaptation import Adapted
from app.relay.attempt import Attempt
from app.relay.retry_budget import RetryBudget
from app.relay.retry_policy import MAX_WAIT_SECONDS
from app.stores.records.admission import Refusal, Selection
from app.stores.records.settlement import AttemptReport
from app.translation.resume.delivered import ResumedStream


@record
class FailoverActions:
    """The steps that failover delegates."""

    begin: Callable[[Selection, ResumedStream | None], Attempt]
    report: Callable[[AttemptReport], Selection | Refusal]  # store an outcome; select the next account
    renew: Callable[[Account], Account | None]  # get a new token; None: there is none
    adapt: Callable[[Attempt, UpstreamError], Adapted | None]  # leave out the refused part; None: impossible
    leave_queue: Callable[[], None]  # give up the place in the queue, if it still has one


@record
class FailoverPolicy:
    """What bounds the attempts of one request."""

    budget: RetryBudget  # of its pool
    keepalive_seconds: float
    max_accounts: int | None = None
    queue_seconds: float = MAX_WAIT_SECONDS  # how long the caller lets it wait for a free slot, in total
