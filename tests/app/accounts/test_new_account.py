"""What is left out has the default of its kind; a credential must fit into a header."""

from __future__ import annotations

import pytest

from app.accounts.account import Account
from app.accounts.new_account import new_account
from app.config import Settings
from app.errors import InvalidRequest

SETTINGS = Settings(openai_base_url="https://openai.test/v1", chatgpt_base_url="https://chatgpt.test/api")


def test_openai():
    fields = {"kind": "openai", "name": "main"}

    assert new_account(fields, SETTINGS, credential="sk-1") == Account(
        "", "main", "openai", "https://openai.test/v1", credential="sk-1", protocols=("chat", "responses")
    )


def test_chatgpt():
    account = new_account(
        {"kind": "chatgpt", "name": "ann"}, SETTINGS, credential="token", chatgpt_account_id="user-1"
    )

    assert account.base_url == "https://chatgpt.test/api"
    assert account.protocols == ("responses",)
    assert account.chatgpt_account_id == "user-1"


def test_compatible_needs_no_key():
    account = new_account({"kind": "compatible", "name": "gpu", "base_url": "http://gpu:8000/v1"}, SETTINGS)

    assert (account.credential, account.protocols) == ("", ("chat",))


def test_given_fields_override_defaults():
    fields = {
        "kind": "compatible",
        "name": "gpu",
        "base_url": "http://gpu:8000/v1",
        "wires": ["responses", "chat", "chat"],
        "models": ["m", "n", "m"],
        "weight": 2,
        "cap": 3,
        "group": 4,
    }

    assert new_account(fields, SETTINGS) == Account(
        "",
        "gpu",
        "compatible",
        "http://gpu:8000/v1",
        protocols=("responses", "chat"),
        models=("m", "n"),
        weight=2,
        cap=3,
        group=4,
    )


@pytest.mark.parametrize("kind", ["openai", "chatgpt"])
def test_a_missing_credential(kind):
    with pytest.raises(InvalidRequest, match=f"of kind {kind} needs a credential"):
        new_account({"kind": kind, "name": "a"}, SETTINGS, chatgpt_account_id="user-1")


def test_a_missing_account_id():
    with pytest.raises(InvalidRequest, match="account id") as refusal:
        new_account({"kind": "chatgpt", "name": "a"}, SETTINGS, credential="token")

    assert refusal.value.param == "chatgpt_account_id"


@pytest.mark.parametrize("credential", ["sk-1\r\nX-Evil: 1", "sk 1", "sk-é", "sk-\udcff", "sk-\x00"])
def test_values_that_are_invalid_in_a_header(credential):
    """It is refused without being repeated."""
    with pytest.raises(InvalidRequest) as refusal:
        new_account({"kind": "openai", "name": "a"}, SETTINGS, credential=credential)

    assert refusal.value.message == "credential must be one line of printable ASCII without spaces"
