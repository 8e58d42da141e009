"""The table of account kinds, and what the rest of the program reads from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.accounts.account import Account
from app.accounts.kinds import (
    KINDS,
    KINDS_BY_PROVIDER,
    SCRIPT_KINDS,
    SIGN_IN_KIND,
    find_kind,
    kind_of,
    names_where,
)
from app.accounts.kinds.kind import ImageTool
from app.cli.account_add import add_group
from app.operations.account_rules import KIND_RULES

ROOT = Path(__file__).parents[4]


def account(kind: str, **more: object) -> Account:
    return Account("acct_1", "a", kind, "https://host/v1", **more)  # type: ignore[arg-type]


class TestTable:
    def test_names(self):
        assert set(KINDS) == {"azure", "chatgpt", "compatible", "demo", "openai"}
        assert all(name == kind.name for name, kind in KINDS.items())

    def test_names_fit_into_an_offer(self):
        assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in KINDS)

    def test_unknown_kind(self):
        """An account that a later version stored is treated as a compatible server."""
        assert kind_of(account("later")) is KINDS["compatible"]

    def test_no_comparison_elsewhere(self):
        """Code outside of this folder reads the fields of a kind and never compares names."""
        files = [
            *(ROOT / "app").rglob("*.py"),
            *(ROOT / "app").rglob("*.lua"),
            *(ROOT / "workers").glob("*.py"),
        ]
        compared = re.compile(rf"""kind\w* (==|!=|~=|in|not in) [(\[{{]*["']({"|".join(KINDS)})["']""")
        found = [str(file) for file in files if compared.search(file.read_text())]

        assert found == []


class TestFacts:
    def test_scripts(self):
        assert SCRIPT_KINDS.simulated == ("demo",)
        assert SCRIPT_KINDS.unenforced == ("chatgpt",)

    def test_sign_in(self):
        assert SIGN_IN_KIND == "chatgpt"

    def test_providers(self):
        assert set(KINDS_BY_PROVIDER["openai"]) == {"openai", "chatgpt", "demo"}
        assert KINDS["chatgpt"].providers[0] == "openai"

    def test_checked_lengths(self):
        assert names_where(lambda kind: kind.is_billed_by_length) == ("azure", "compatible", "openai")

    def test_private_addresses(self):
        assert names_where(lambda kind: kind.may_be_private) == ("compatible", "demo")

    def test_pass_through(self):
        assert names_where(lambda kind: not kind.passes_through) == ("chatgpt", "demo")

    def test_commands(self):
        """`poolgate account add` has a command for each kind that an operator adds."""
        assert set(add_group.commands) == set(KIND_RULES) == set(KINDS) - {"demo"}


class TestChatGpt:
    def test_path(self):
        assert find_kind("chatgpt").path("responses") == "/codex/responses"

    @pytest.mark.parametrize(
        ("account_id", "is_sent"), [("acc-1", True), ("email_a", False), ("local_1", False)]
    )
    def test_identity(self, account_id, is_sent):
        """Ids that Codex makes up are not sent."""
        headers = find_kind("chatgpt").identity_headers(account_id, "codex_cli_rs")

        assert headers.pop("originator") == "codex_cli_rs"
        assert headers == ({"chatgpt-account-id": account_id} if is_sent else {})


def test_reading_time():
    """A local server may read a prompt on a CPU."""
    assert find_kind("compatible").reading_seconds(4000) == 20
    assert find_kind("openai").reading_seconds(4000) == 2


class TestImageTool:
    TOOL = ImageTool(main_models=("one", "two"), max_output=1000, image_models=("gpt-image-",))

    def test_the_preferred_model_that_an_account_lists_calls_it(self) -> None:
        assert self.TOOL.main_model(()) == "one"
        assert self.TOOL.main_model(("two", "one")) == "one"
        assert self.TOOL.main_model(("two",)) == "two"
        assert self.TOOL.main_model(("three",)) == "one"

    def test_its_image_models(self) -> None:
        assert self.TOOL.has("gpt-image-2")
        assert not self.TOOL.has("flux")
