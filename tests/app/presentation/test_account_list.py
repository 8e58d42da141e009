"""The list of accounts: which are shown, in which order, and what a row has."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.account import Account
from app.accounts.oauth_tokens import SignInIdentity
from app.accounts.own_proxy import OwnProxy
from app.accounts.request_settings import RequestSettings
from app.presentation.account_list import COLUMNS, AccountFilter, AccountRow, LastUse, models_of
from app.presentation.accounts import AccountView
from app.presentation.row_order import sort_rows
from app.stores.records.accounts import AccountState

NOW, NOW_LATE = 1000.0, 1_000_000.0


def row(
    name: str, today: dict[str, int] | None = None, last_use: LastUse | None = None, **more: Any
) -> AccountRow:
    identity = more.pop("identity", SignInIdentity("", ""))
    account = Account(f"acct_{name}", name, **{"kind": "openai", "base_url": "https://up.test/v1", **more})
    return AccountRow(AccountView(account, NOW), today or {}, last_use, identity)


def names(rows: list[AccountRow]) -> list[str]:
    return [each.account.name for each in rows]


class TestSorting:
    def test_names_with_numbers(self) -> None:
        rows = [row("account-10"), row("account-2"), row("account-1")]

        assert names(sort_rows(rows, COLUMNS, "name")) == ["account-1", "account-2", "account-10"]
        assert names(sort_rows(rows, COLUMNS, "name", descending=True)) == [
            "account-10",
            "account-2",
            "account-1",
        ]

    def test_the_worst_state_comes_first(self) -> None:
        rows = [row("a", state=AccountState.PAUSED), row("b"), row("c", state=AccountState.CREDENTIAL_DEAD)]
        rows.append(row("d", suspicions=2))

        assert names(sort_rows(rows, COLUMNS, "state")) == ["c", "d", "b", "a"]

    @pytest.mark.parametrize("descending", [False, True])
    def test_unknown_values_come_last(self, descending: bool) -> None:
        rows = [row("a"), row("b", used=(10.0, 70.0)), row("c", used=(20.0, None))]

        known = ["b", "c"] if descending else ["c", "b"]
        assert names(sort_rows(rows, COLUMNS, "used", descending=descending)) == [*known, "a"]

    def test_rows_of_the_same_value_are_in_the_order_of_their_names(self) -> None:
        rows = [row("b", {"cost": 1}), row("a", {"cost": 1}), row("c", {"cost": 5})]

        assert names(sort_rows(rows, COLUMNS, "cost", descending=True)) == ["c", "a", "b"]

    def test_when_the_first_window_resets(self) -> None:
        """One that has reset already does not count."""
        rows = [
            row("a", used=(1.0, 1.0), resets_ms=(500_000, 5_000_000)),
            row("b", used=(1.0, None), resets_ms=(2_000_000, 0)),
        ]

        assert names(sort_rows(rows, COLUMNS, "reset")) == ["b", "a"]

    @pytest.mark.parametrize("column", COLUMNS)
    def test_every_column(self, column: str) -> None:
        rows = [row("a", {"cost": 3}, LastUse(5.0, is_exact=True), used=(3.0, None)), row("b")]

        assert sorted(names(sort_rows(rows, COLUMNS, column))) == ["a", "b"]


class TestFilter:
    def test_by_a_part_of_its_texts(self) -> None:
        rows = [
            row("main"),
            row("gpu", base_url="http://lab.test/v1"),
            row("x", identity=SignInIdentity("pro", "ann@a.test")),
        ]

        def found(q: str) -> list[str]:
            return [each.account.name for each in rows if AccountFilter(q=q).matches(each)]

        assert (found("MAI"), found("lab"), found("pro"), found("ann@"), found("none")) == (
            ["main"],
            ["gpu"],
            ["x"],
            ["x"],
            [],
        )

    @pytest.mark.parametrize(
        ("query", "matches"),
        [
            ({"kind": "compatible"}, True),
            ({"kind": "openai"}, False),
            ({"state": "paused"}, True),
            ({"state": "active"}, False),
            ({"plan": "plus"}, True),
            ({"plan": "pro"}, False),
            ({"model": "gpt-5"}, True),
            ({"model": "gpt-4"}, False),
            ({"kind": "compatible", "state": " paused ", "other": "x"}, True),
        ],
    )
    def test_by_fields(self, query: dict[str, str], matches: bool) -> None:
        one = row(
            "a",
            kind="compatible",
            state=AccountState.PAUSED,
            listed=("gpt-5",),
            identity=SignInIdentity("plus", ""),
        )

        assert AccountFilter.from_query(query).matches(one) is matches

    def test_an_account_without_a_list_may_serve_any_model(self) -> None:
        assert AccountFilter(model="gpt-5").matches(row("a"))


class TestRow:
    def test_how_it_is_reached(self) -> None:
        settings = RequestSettings(websocket="on", proxy=OwnProxy("http://10.0.0.1:3128"))

        assert row("a", settings=settings).marks == ["proxy", "WebSocket"]
        assert row("b").marks == []

    @pytest.mark.parametrize(
        ("email", "shown"), [("anna@example.com", "an…@example.com"), ("", ""), ("nobody", "")]
    )
    def test_an_address_is_masked(self, email: str, shown: str) -> None:
        assert row("a", identity=SignInIdentity("", email)).masked_email == shown

    @pytest.mark.parametrize(
        ("last_use", "text"),
        [
            (None, "–"),
            (LastUse(NOW_LATE - 5, is_exact=True), "now"),
            (LastUse(NOW_LATE - 7300, is_exact=True), "2 h ago"),
            (LastUse(NOW_LATE - 7300, is_exact=False), "today"),
            (LastUse(NOW_LATE - 200_000, is_exact=False), "2 d ago"),
        ],
    )
    def test_last_used(self, last_use: LastUse | None, text: str) -> None:
        account = Account("acct_1", "a", "openai", "https://up.test/v1")

        assert AccountRow(AccountView(account, NOW_LATE), {}, last_use).last_used == text

    def test_models_of_all(self) -> None:
        rows = [row("a", listed=("m-10", "m-2")), row("b", models=("m-2", "x"))]

        assert models_of(rows) == ["m-2", "m-10", "x"]
