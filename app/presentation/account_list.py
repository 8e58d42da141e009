"""The list of accounts: the content of a row, filters and order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from app.accounts.account import Account
from app.accounts.oauth_tokens import NO_IDENTITY, SignInIdentity
from app.accounts.request_settings import ON
from app.formatting import duration, natural
from app.presentation.accounts import AccountView
from app.stores.records.accounts import AccountState

Figures = Mapping[str, int]  # today's requests, errors, attempts, failed_attempts, rescues, cost, …

MINUTE_SECONDS, DAY_SECONDS = 60, 86_400
# the most severe first
_STATES = (
    *(AccountState.CREDENTIAL_DEAD, AccountState.PAYMENT_REQUIRED, AccountState.CREDENTIAL_EXPIRED),
    *(AccountState.WINDOW_SPENT, AccountState.BURST_LIMITED, AccountState.SUSPECTED, AccountState.ACTIVE),
    AccountState.PAUSED,
)


@dataclass(frozen=True, slots=True)
class LastUse:
    """When an account last served: `at` in Unix seconds; if `is_exact` is False, only the day is known."""

    at: float
    is_exact: bool


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account, with its figures of today."""

    view: AccountView
    today: Figures
    last_use: LastUse | None = None  # None: not in the last 30 days
    identity: SignInIdentity = NO_IDENTITY

    @property
    def account(self) -> Account:
        return self.view.account

    @property
    def marks(self) -> list[str]:
        """Labels for unusual ways in which its server is reached."""
        settings = self.account.settings
        proxied = ["proxy"] if settings.proxy.url else []
        return [*proxied, *(["WebSocket"] if settings.websocket == ON else [])]

    @property
    def masked_email(self) -> str:
        """The e-mail address of its sign-in, masked: `an…@example.com`."""
        name, at, host = self.identity.email.partition("@")
        return f"{name[:2]}…@{host}" if at else ""

    @property
    def first_reset(self) -> str:
        """The time until its first usage window resets, in one unit: `in 2 h`."""
        return f"in {_rough(self.resets_at - self.view.now)}" if self.resets_at else ""

    @property
    def last_used(self) -> str:
        """The time since it last served, in one unit: `5 min ago`; `today` if only the day is known."""
        if self.last_use is None:
            return "–"
        seconds = self.view.now - self.last_use.at
        if seconds < MINUTE_SECONDS or (not self.last_use.is_exact and seconds < DAY_SECONDS):
            return "now" if self.last_use.is_exact else "today"
        return f"{_rough(seconds)} ago"

    @property
    def used_percent(self) -> float | None:
        """The share of its fullest usage window."""
        return max((window.used for window in self.view.windows), default=None)

    @property
    def resets_at(self) -> float | None:
        """When its first usage window resets, in Unix seconds."""
        windows = self.view.windows
        return min(
            (window.resets_at for window in windows if window.resets_at and not window.over), default=None
        )


def _rough(seconds: float) -> str:
    """Return a duration in its largest unit."""
    return " ".join(duration(seconds).split()[:2])


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts to list; '' matches all. `q` is part of the name, base URL, plan or e-mail address."""

    q: str = ""
    kind: str = ""
    state: str = ""
    plan: str = ""
    model: str = ""

    @classmethod
    def from_query(cls, args: Mapping[str, str]) -> AccountFilter:
        """Return the filter in the query *args* of a page."""
        return cls(**{field.name: args.get(field.name, "").strip() for field in fields(cls)})

    def matches(self, row: AccountRow) -> bool:
        account = row.account
        texts = (account.name, account.base_url, row.identity.plan, row.identity.email)
        return (
            any(self.q.lower() in text.lower() for text in texts)
            and self.kind in ("", account.kind)
            and self.state in ("", row.view.state)
            and self.plan in ("", row.identity.plan)
            and (not self.model or account.may_have(self.model))
        )


# the value by which each column sorts; None sorts last
COLUMNS: Mapping[str, Callable[[AccountRow], Any]] = {
    "name": lambda row: natural(row.account.name),
    "kind": lambda row: (row.account.kind, row.identity.plan),
    "state": lambda row: (_STATES.index(row.account.state), row.account.has_answered, not row.view.reason),
    "used": lambda row: row.used_percent,
    "reset": lambda row: row.resets_at,
    "in_flight": lambda row: row.account.in_flight,
    "attempts": lambda row: row.today.get("attempts", 0),
    "failed": lambda row: row.today.get("failed_attempts", 0),
    "rescued": lambda row: row.today.get("rescues", 0),
    "errors": lambda row: row.today.get("errors", 0),
    "cost": lambda row: row.today.get("cost", 0),
    "last_use": lambda row: row.last_use.at if row.last_use else None,
}


def models_of(rows: Sequence[AccountRow]) -> list[str]:
    """Return the models that the accounts in *rows* offer, sorted."""
    return sorted({model for row in rows for model in row.account.offered_models}, key=natural)
