"""
The classes of failure of an account, and the consequence of each.

`app.accounts.verdicts` classifies upstream errors. A state that the upstream reports lasts until the end
that it names; a suspicion is soft, and the store excludes at most a quarter of the accounts of a model
for suspicion.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.stores.records.accounts import AccountState, ModelState


class Scope(StrEnum):
    """What a failure affects, from narrow to wide."""

    REQUEST = "request"  # this request only: the state of the account does not change
    MODEL = "model at account"  # this model at this account; its other models stay available
    BRIEF = "account, briefly"  # seconds; the account becomes available again by itself
    WINDOW = "account, window"  # until the reset of a usage window, or until it is paid; tested again before
    CREDENTIAL = "credential"  # needs attention; tested again at growing intervals


class CallerError(StrEnum):
    """What the caller receives if no other account answers."""

    UPSTREAM = "the upstream's status and message"
    GATEWAY = "502: a failure of this gateway's accounts"
    MODEL_NOT_FOUND = "404 model_not_found"
    SPENT = "429 usage_limit_reached, with the earliest reset if one is known"
    ENDPOINT = "502 in an outage; 404 at an endpoint that accounts may lack"


class Failure(StrEnum):
    """What went wrong at an upstream. CONSEQUENCES has the effect of each on the account and the caller."""

    UNREACHABLE = "unreachable"  # no connection: nothing was sent
    RESET = "reset"  # sent, then the connection broke without a status
    SLOW = "slow"  # ended by a time limit of the gateway
    BURST_LIMITED = "burst_limited"  # too many requests at once; ends within seconds
    MODEL_LIMITED = "model_limited"  # the same, for this model only
    WINDOW_SPENT = "window_spent"  # the usage window is used up until its reset
    PAYMENT_REQUIRED = "payment_required"  # no credit or no active billing: ends when it is paid
    CREDENTIAL = "credential"  # the key or token is refused
    OVERLOADED = "overloaded"  # the model is overloaded, not this account
    MODEL_MISSING = "model_missing"  # this account does not have the model, or may not use it
    ENDPOINT_MISSING = "endpoint_missing"  # its server does not have the endpoint
    UNSUPPORTED = "unsupported"  # this account does not support the request; another account may
    BLOCKED = "blocked"  # refused without a known reason, for example by a proxy
    SERVER_ERROR = "server_error"
    CUT = "cut"  # the stream ended in the middle
    DIFFERS = "differs"  # a valid response that does not continue the one that was cut
    GARBLED = "garbled"  # bytes that violate the protocol
    REDIRECTED = "redirected"  # the base URL of the account is wrong
    CALLER = "caller"  # the request itself is wrong
    DEADLINE = "deadline"  # the gateway's deadline over all attempts


SUSPECT_BASE_SECONDS = 2.0  # doubled with each failure in a row
SUSPECT_MAX_SECONDS = 15.0  # so that a recovered account is used again within 15 s
MISSING_SECONDS = 300.0  # how long a model that an account lacks is not requested there


@dataclass(frozen=True, slots=True)
class Consequence:
    """
    What a failure changes at its account, and what the caller receives.

    *state* is the new state of the account, None if it stays active; *model_state* that of the model there.
    *seconds* is how long it lasts if the upstream names no end; None: until someone acts.
    """

    scope: Scope
    caller_error: CallerError = CallerError.UPSTREAM
    state: AccountState | None = None
    model_state: ModelState | None = None
    seconds: float | None = 0.0

    @property
    def is_suspicion(self) -> bool:
        return self.state is AccountState.SUSPECTED


_UNHARMED = Consequence(Scope.REQUEST)
_SUSPECTED = Consequence(Scope.BRIEF, state=AccountState.SUSPECTED, seconds=SUSPECT_BASE_SECONDS)


def _rest(
    model_state: ModelState, seconds: float, caller_error: CallerError = CallerError.UPSTREAM
) -> Consequence:
    return Consequence(Scope.MODEL, caller_error, model_state=model_state, seconds=seconds)


CONSEQUENCES: dict[Failure, Consequence] = {
    Failure.UNREACHABLE: _SUSPECTED,
    Failure.RESET: _SUSPECTED,
    Failure.SLOW: _UNHARMED,
    Failure.BURST_LIMITED: Consequence(Scope.BRIEF, state=AccountState.BURST_LIMITED, seconds=2.0),
    Failure.MODEL_LIMITED: _rest(ModelState.LIMITED, 2.0),
    Failure.WINDOW_SPENT: Consequence(
        Scope.WINDOW, CallerError.SPENT, state=AccountState.WINDOW_SPENT, seconds=600.0
    ),
    Failure.PAYMENT_REQUIRED: Consequence(
        Scope.WINDOW, CallerError.SPENT, state=AccountState.PAYMENT_REQUIRED, seconds=600.0
    ),
    Failure.CREDENTIAL: Consequence(
        Scope.CREDENTIAL, CallerError.GATEWAY, state=AccountState.CREDENTIAL_DEAD, seconds=None
    ),
    Failure.OVERLOADED: _rest(ModelState.OVERLOADED, 5.0),
    Failure.MODEL_MISSING: _rest(ModelState.MISSING, MISSING_SECONDS, CallerError.MODEL_NOT_FOUND),
    Failure.ENDPOINT_MISSING: Consequence(Scope.REQUEST, CallerError.ENDPOINT),
    Failure.UNSUPPORTED: _UNHARMED,
    Failure.BLOCKED: _SUSPECTED,
    Failure.SERVER_ERROR: _SUSPECTED,
    Failure.CUT: _SUSPECTED,
    Failure.DIFFERS: _UNHARMED,
    Failure.GARBLED: _SUSPECTED,
    Failure.REDIRECTED: _SUSPECTED,
    Failure.CALLER: _UNHARMED,
    Failure.DEADLINE: _UNHARMED,
}
