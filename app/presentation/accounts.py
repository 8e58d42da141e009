"""Accounts: their state, reason and usage windows in words, and their JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from app.accounts.account import Account, AccountJson
from app.accounts.failures import Failure
from app.accounts.kinds import kind_of
from app.formatting import counted, duration
from app.presentation.projection import exhausted_at, mean_rate
from app.stores.records.accounts import DEMO_OFF, PAUSED_BY_OPERATOR, AccountState, ModelRest, ModelState

HIGH_PERCENT, FULL_PERCENT = 80, 95  # of a usage window, at which its gauge warns
# shown in place of `active` while an account has neither listed its models nor answered a request
NOT_USED_YET, NO_ANSWER_YET = "not_used_yet", "no_answer_yet"
CREDENTIAL_UNREADABLE = "credential_unreadable"  # a gateway cannot decrypt the credential
FAILING = "failing"  # every one of its newest attempts failed
LABELS: Mapping[str, str] = {AccountState.CREDENTIAL_DEAD: "credential refused"}
FAILURES: Mapping[str, str] = {
    Failure.RESET: "connection reset",
    Failure.SLOW: "no answer in time",
    Failure.CREDENTIAL: "credential refused",
    Failure.BLOCKED: "refused without a reason",
    Failure.CUT: "stream cut off",
    Failure.GARBLED: "unreadable response",
    Failure.ENDPOINT_MISSING: "404 or 405: its server does not have the endpoint",
    Failure.MODEL_MISSING: "its server does not have the models",
}
REST_REASONS: Mapping[ModelState, str] = {
    ModelState.MISSING: "missing at its server",
    ModelState.OVERLOADED: "overloaded",
    ModelState.LIMITED: "rate limited",
    ModelState.SUSPECTED: "failed",
}
CONVERSATION = "its conversation, but "  # before the state of the account; see lua/selection.lua
REASONS = {  # shown after the state; the second is what earlier versions stored
    PAUSED_BY_OPERATOR: "by an operator",
    DEMO_OFF: "the demo is not running",
    "paused by an administrator": "by an operator",
}


def state_label(state: str) -> str:
    """Return the state of an account, a key or a request in words."""
    return LABELS.get(state) or state.replace("_", " ")


def shown_state(account: Account) -> str:
    """
    Return the state of *account* to show.

    An active one may fail all requests, and whether it works is unknown until it has answered.
    """
    if account.is_failing:
        return FAILING
    if account.state is not AccountState.ACTIVE:
        return account.state
    if account.is_unreadable:
        return CREDENTIAL_UNREADABLE
    if account.has_answered:
        return account.state
    return NO_ANSWER_YET if account.attempts or account.unproven else NOT_USED_YET


def failure_label(failure: str) -> str:
    """Return the `Failure` of attempts in words."""
    return FAILURES.get(failure) or failure.replace("_", " ")


def reason_label(reason: str) -> str:
    """Return the reason an account is out of use, in words."""
    return REASONS.get(reason) or reason.replace("_", " ")


def rest_label(state: ModelState) -> str:
    """Return why a model rests at an account, in words."""
    return REST_REASONS[state]


def candidate_label(why: str) -> str:
    """Return why an account was not chosen for a request, as `explain` returns it, without stored names."""
    if why in REST_REASONS:
        return f"the model rests there: {rest_label(ModelState(why))}"
    state = why.removeprefix(CONVERSATION)
    return f"{CONVERSATION}{state_label(state)}" if state in list(AccountState) else why


def endless_label(state: str) -> str:
    """Return until when an account in *state* is out of use, in words, where no time is known."""
    return "until it is resumed" if state == AccountState.PAUSED else "needs attention"


def websocket_label(account: Account) -> str:
    """
    Return whether conversations use WebSocket at *account*: `on`, `off`, or `none` for kinds without it.
    """
    return "none" if kind_of(account).websocket_headers is None else account.settings.websocket


@dataclass(frozen=True, slots=True)
class WindowView:
    """A usage window of an account."""

    label: str
    used: float  # percent
    resets_at: float | None  # Unix seconds
    over: bool  # it has reset since it was reported
    exhausted_at: float | None = None  # Unix seconds, if the rate does not change; None: not before its reset

    @property
    def level(self) -> str:
        """The fill level: `normal`, `high` or `full`; the CSS class of its gauge."""
        return "full" if self.used >= FULL_PERCENT else "high" if self.used >= HIGH_PERCENT else "normal"


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account at *now*, in Unix seconds."""

    account: Account
    now: float
    rests: Sequence[ModelRest] = ()  # models that get no requests there for a while

    @property
    def has_sign_in(self) -> bool:
        return kind_of(self.account).has_sign_in

    @property
    def state(self) -> str:
        """The state to show, see `shown_state`."""
        return shown_state(self.account)

    @property
    def reason(self) -> str:
        """The reason it is out of use, or the failures of its latest attempts while it stays in use."""
        if self.account.state is AccountState.PAYMENT_REQUIRED:
            return ", ".join(filter(None, (reason_label(self.account.reason), self._next_test)))
        if self.account.state is not AccountState.ACTIVE:
            return reason_label(self.account.reason)
        if self.account.is_unreadable:
            return "a gateway has other POOLGATE_SECRET_KEYS"
        if self.account.unproven:
            when = "when tested: " if self.account.has_answered else ""
            return f"{when}{failure_label(self.account.unproven)}; others are tried first"
        if self.account.stays_in_use:
            return f"{self.account.suspicions} failures in a row, too few others to replace it"
        if not (failure := self.account.persistent_failure):
            return f"{counted(len(self.rests), 'model rests', 'models rest')}" if self.rests else ""
        return f"{self.account.failures_in_a_row} failures in a row, {failure_label(failure)}"

    @property
    def _next_test(self) -> str:
        """When a request tests an account that has to be paid, in words."""
        wait = self.account.until_ms / 1000 - self.now
        return f"tested again in {duration(wait)}" if wait > 0 else "tested at the next request"

    @property
    def until(self) -> float | None:
        """When it becomes available again, in Unix seconds; None: unknown."""
        if self.account.state is AccountState.PAYMENT_REQUIRED:
            return None  # that is the time of the next test
        return self.account.until_ms / 1000 or None

    @property
    def certificates(self) -> list[Certificate]:
        """The CA certificates by which its server is verified; empty: the usual ones."""
        return certificates_in(self.account.settings.ca_certificates)

    @property
    def windows(self) -> list[WindowView]:
        return list(self._windows())

    def _windows(self) -> Iterable[WindowView]:
        account = self.account
        labels = kind_of(account).window_names
        windows = zip(labels, account.used, account.resets_ms, account.window_seconds, strict=True)
        for label, used, resets_ms, seconds in windows:
            if used is None:
                continue
            over = bool(resets_ms) and resets_ms <= self.now * 1000
            shown = f"{duration(seconds)} window" if seconds else label
            resets_at = resets_ms / 1000 or None
            end = None if over or not seconds else _exhausted_at(used, resets_at, seconds, self.now)
            yield WindowView(shown, 0.0 if over else used, resets_at, over, end)


def _exhausted_at(used: float, resets_at: float | None, seconds: int, now: float) -> float | None:
    """Return when a window of *seconds* is used up at its present rate; None: not before its reset."""
    if resets_at is None:
        return None
    rate = mean_rate(used, seconds - (resets_at - now))
    return exhausted_at(max(0.0, 100 - used), rate, resets_at, now)


class Certificate(NamedTuple):
    """A CA certificate: its subject, and its expiry in Unix seconds."""

    subject: str
    expires_at: float


def resumed_text(before: AccountView, what: str) -> str:
    """Return the sentence that *what*, such as `account 'main'`, was resumed, which was *before* as given."""
    again = f"; {counted(len(before.rests), 'model')} may be tried again" if before.rests else ""
    if before.account.state is not AccountState.ACTIVE:
        return f"Resumed {what}{again}."
    return f"{what[:1].upper()}{what[1:]} was active{again or ' already'}."


def certificates_in(pem: str) -> list[Certificate]:
    """Return the certificates in *pem*; anything else is left out."""
    if not pem:
        return []
    from cryptography import x509  # imported here: it takes 1 MiB, and few accounts have certificates

    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return []
    return [Certificate(one.subject.rfc4514_string(), one.not_valid_after_utc.timestamp()) for one in found]


class WindowJson(TypedDict):
    """
    `resets_at` is in Unix seconds, `seconds` is the length; None: unknown.

    `exhausted_at` is when nothing is left at the mean rate since the window began; None: not before its
    reset.
    """

    used_percent: float
    resets_at: int | None
    seconds: int | None
    exhausted_at: int | None


class ModelRestJson(TypedDict):
    """
    A model that gets no requests at an account for a while.

    `why` is missing (its server does not have it), overloaded, limited or suspected (it failed); `until` is
    in Unix seconds.
    """

    model: str
    why: str
    until: int


class ListedAccountJson(AccountJson):
    """An account, with its usage windows, and the models that its upstream lists and that rest."""

    signed_in: bool
    created_at: int
    windows: list[WindowJson]
    listed_models: tuple[str, ...]
    resting_models: list[ModelRestJson]


def serialize_account(account: Account, now: float, rests: Sequence[ModelRest]) -> ListedAccountJson:
    """Return *account* as JSON, with its state and its *rests* at *now*, Unix seconds."""
    reported = zip(account.used, account.resets_ms, account.window_seconds, strict=True)
    ends = iter(view.exhausted_at for view in AccountView(account, now).windows)
    windows: list[WindowJson] = [
        {
            "used_percent": percent,
            "resets_at": reset // 1000 or None,
            "seconds": seconds or None,
            "exhausted_at": round(end) if (end := next(ends)) else None,
        }
        for percent, reset, seconds in reported
        if percent is not None
    ]
    return {
        **account.public(),
        "signed_in": account.signed_in,
        "created_at": account.created_at,
        "windows": windows,
        "listed_models": account.listed,
        "resting_models": [
            {"model": rest.model, "why": rest.state, "until": rest.until_ms // 1000} for rest in rests
        ],
    }
