import pytest

from app.accounts.account import MIN_STREAK, Account
from app.presentation.accounts import AccountView, reason_label, serialize_account, state_label
from app.stores.records.accounts import AccountState


@pytest.mark.parametrize(
    ("state", "label"),
    [
        (AccountState.CREDENTIAL_DEAD, "credential refused"),
        (AccountState.WINDOW_SPENT, "window spent"),
        ("open", "open"),
    ],
)
def test_state_label(state, label):
    assert state_label(state) == label


def test_reason_label():
    assert reason_label("paused by an administrator") == "paused by an operator"
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


@pytest.mark.parametrize(
    ("used", "level"), [(79.9, "normal"), (80, "high"), (94, "high"), (95, "full"), (100, "full")]
)
def test_how_full_a_window_is(used: float, level: str) -> None:
    account = Account("acct_1", "a", "chatgpt", "https://up.test", used=(used, None))

    assert AccountView(account, now=1.0).windows[0].level == level


def test_json_has_the_values_of_states():
    account = Account("acct_1", "a", "openai", "https://up.test", state=AccountState.PAUSED)

    assert serialize_account(account)["state"] == "paused"
