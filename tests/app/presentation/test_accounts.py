from dataclasses import replace
from typing import Any

import pytest

from app.accounts.account import MIN_FAILING, MIN_STREAK, Account
from app.accounts.request_settings import RequestSettings
from app.presentation.accounts import (
    AccountView,
    candidate_label,
    endless_label,
    reason_label,
    serialize_account,
    shown_state,
    state_label,
    websocket_label,
)
from app.stores.records.accounts import PAUSED_BY_OPERATOR, AccountState


@pytest.mark.parametrize(
    ("state", "label"),
    [
        (AccountState.CREDENTIAL_DEAD, "credential refused"),
        (AccountState.WINDOW_SPENT, "window spent"),
        (AccountState.PAYMENT_REQUIRED, "payment required"),
        ("open", "open"),
    ],
)
def test_state_label(state, label):
    assert state_label(state) == label


@pytest.mark.parametrize(
    ("more", "label"),
    [
        ({}, "not used yet"),
        ({"has_answered": True}, "active"),
        ({"attempts": 2}, "no answer yet"),
        ({"unproven": "unreachable"}, "no answer yet"),
        ({"state": AccountState.PAUSED}, "paused"),
    ],
)
def test_an_account_is_shown_as_active_once_it_has_answered(more: dict[str, Any], label: str) -> None:
    account = Account("acct_1", "a", "openai", "https://up.test", **more)

    assert state_label(shown_state(account)) == label
    assert AccountView(account, now=1.0).state == shown_state(account)


def test_endless_label():
    assert endless_label(AccountState.PAUSED) == "until it is resumed"
    assert endless_label(AccountState.CREDENTIAL_DEAD) == "needs attention"


def test_reason_label():
    """Accounts that an earlier version paused have another text."""
    assert reason_label(PAUSED_BY_OPERATOR) == "by an operator"
    assert reason_label("paused by an administrator") == "by an operator"
    assert reason_label("usage_limit_reached") == "usage limit reached"


def test_an_active_account_has_no_reason():
    account = Account("acct_1", "a", "openai", "https://up.test", reason="old_reason")

    assert AccountView(account, now=1.0).reason == ""


@pytest.mark.parametrize(
    ("streak", "state", "reason"),
    [
        (MIN_STREAK - 1, AccountState.ACTIVE, ""),
        (
            MIN_STREAK,
            AccountState.ACTIVE,
            f"{MIN_STREAK} failures in a row, 404 or 405: its server does not have the endpoint",
        ),
        (MIN_STREAK, AccountState.PAUSED, "why"),
    ],
)
def test_an_active_account_that_only_fails(streak: int, state: AccountState, reason: str) -> None:
    account = Account(
        *("acct_1", "a", "openai", "https://up.test"),
        state=state,
        reason="why",
        failures_in_a_row=streak,
        latest_failure="endpoint_missing",
    )

    assert AccountView(account, now=1.0).reason == reason


def test_an_active_account_that_no_other_could_replace() -> None:
    account = Account("acct_1", "a", "openai", "https://up.test", suspicions=3)

    assert AccountView(account, 1.0).reason == "3 failures in a row, too few others to replace it"


def test_shown_states_that_need_attention() -> None:
    account = Account("acct_1", "a", "openai", "https://up.test", has_answered=True)
    unreadable = replace(account, is_unreadable=True)

    assert shown_state(replace(account, failures_in_a_row=MIN_FAILING)) == "failing"
    assert shown_state(replace(account, failures_in_a_row=MIN_FAILING - 1)) == "active"
    assert shown_state(unreadable) == "credential_unreadable"
    assert shown_state(replace(unreadable, state=AccountState.PAUSED)) == "paused"
    assert AccountView(unreadable, 1.0).reason == "a gateway has other POOLGATE_SECRET_KEYS"


def test_one_that_comes_last() -> None:
    account = Account("acct_1", "a", "openai", "https://up.test", unproven="credential")
    tested = replace(account, has_answered=True)

    assert AccountView(account, 1.0).reason == "credential refused; others are tried first"
    assert AccountView(tested, 1.0).reason == "when tested: credential refused; others are tried first"


@pytest.mark.parametrize(
    ("used", "level"), [(79.9, "normal"), (80, "high"), (94, "high"), (95, "full"), (100, "full")]
)
def test_how_full_a_window_is(used: float, level: str) -> None:
    account = Account("acct_1", "a", "chatgpt", "https://up.test", used=(used, None))

    assert AccountView(account, now=1.0).windows[0].level == level


def test_json_has_the_values_of_states():
    account = Account("acct_1", "a", "openai", "https://up.test", state=AccountState.PAUSED)

    assert serialize_account(account, 1.0, ())["state"] == "paused"


class TestProjection:
    """Of a window of five hours, of which one is over at *now*."""

    HOUR, NOW = 3600.0, 1_000_000.0

    def account(self, used: float, *, seconds: int = 18_000) -> Account:
        resets_ms = round((self.NOW + 4 * self.HOUR) * 1000)
        windows = {"used": (None, used), "resets_ms": (0, resets_ms), "window_seconds": (0, seconds)}
        return Account("acct_1", "a", "chatgpt", "https://up.test", **windows)

    @pytest.mark.parametrize(("used", "hours"), [(50, 1), (25, 3), (20, None), (0, None), (100, 0)])
    def test_at_the_mean_rate(self, used: float, hours: float | None) -> None:
        """None: it lasts until its reset."""
        (window,) = AccountView(self.account(used), self.NOW).windows
        (as_json,) = serialize_account(self.account(used), self.NOW, ())["windows"]

        expected = None if hours is None else self.NOW + hours * self.HOUR
        assert window.exhausted_at == as_json["exhausted_at"] == expected

    def test_a_window_that_is_over_or_of_unknown_length(self) -> None:
        later = self.NOW + 5 * self.HOUR

        assert AccountView(self.account(50), later).windows[0].exhausted_at is None
        assert AccountView(self.account(50, seconds=0), self.NOW).windows[0].exhausted_at is None


@pytest.mark.parametrize(
    ("kind", "websocket", "label"),
    [("openai", "off", "off"), ("chatgpt", "on", "on"), ("compatible", "off", "none")],
)
def test_websocket(kind: str, websocket: str, label: str) -> None:
    settings = RequestSettings(websocket=websocket)

    assert websocket_label(Account("acct_1", "a", kind, "https://up.test", settings=settings)) == label


@pytest.mark.parametrize(
    ("why", "shown"),
    [
        ("its conversation, but credential_dead", "its conversation, but credential refused"),
        ("its conversation, but window_spent", "its conversation, but window spent"),
        ("its conversation, but not for this key", "its conversation, but not for this key"),
        ("missing", "the model rests there: missing at its server"),
        ("suspected", "the model rests there: failed"),
        ("higher score", "higher score"),
    ],
)
def test_why_a_candidate_was_not_chosen(why: str, shown: str) -> None:
    assert candidate_label(why) == shown
