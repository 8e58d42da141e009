import pytest

from app.accounts.account import Account
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


def test_json_has_the_values_of_states():
    account = Account("acct_1", "a", "openai", "https://up.test", state=AccountState.PAUSED)

    assert serialize_account(account)["state"] == "paused"
