"""Changes of the audit log, in the units of people."""

from __future__ import annotations

from typing import Any

import pytest

from app.presentation.audit import action_label, describe_changes, field_label, title_label
from app.presentation.names import Names

COST = {"id": "lim_1", "what": "cost", "per": "month", "max": 5_000_000, "mode": "strict", "scope": "key"}
RATES = {"input": 1_500_000, "output": 3_000_000}


def described(before: Any, after: Any) -> list[str]:
    return list(describe_changes({"action": "a.b", "before": before, "after": after}, "->"))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("limits", [COST], "5 usd/month"),
        ("limits", [{"what": "a unit that is gone"}], "what=a unit that is gone"),
        ("standard", RATES, "input $1.50, output $3.00 per million tokens"),
        ("expires_at", 1_798_761_600.0, "2027-01-01 00:00Z"),
        ("weight", 2, "2"),
        ("weight", 0, "0"),
        ("until_ms", 1_798_761_600_000, "2027-01-01 00:00Z"),
        ("until_ms", 0, "none"),
        ("overlap_seconds", 7200, "2 h"),
        ("timeout_seconds", 0, "0"),
        ("names_accounts", False, "no"),
        ("steps", [[{"model": "m", "accounts": [], "weight": 1}]], "m"),
        ("steps", [7], "7"),
        ("on", ["account", "pool"], "account, pool"),
        ("headers", {"X-A": "1", "X-B": "2"}, "X-A=1, X-B=2"),
        ("owner", "ann", "ann"),
    ],
)
def test_values_in_words(name: str, value: object, text: str) -> None:
    assert described(None, {name: value}) == [f"{name}: {text}"]


def test_a_change() -> None:
    """A field of which one side is empty is shown with both."""
    assert described({"expires_at": None}, {"expires_at": 1_798_761_600.0}) == [
        "expires_at: none -> 2027-01-01 00:00Z"
    ]


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"*": {"total": 300.0}}, "total 300 s"),
        (
            {"*": {"total": 300.0, "first_event": 0.5}, "gpt-5*": {"idle": 20}},
            "total 300 s, first event 0.5 s; idle 20 s for gpt-5*",
        ),
        ({"*": {}}, "none"),
        ({"*": 7}, "*=7"),
        ({"*": {"total": "x"}}, "total x"),
    ],
)
def test_settings_of_a_pool(limits: object, text: str) -> None:
    """Each setting that changed has a line; time limits are in words."""
    before = {"settings": {"keep_days": 30}}

    assert described(before, {"settings": {"keep_days": 40, "time_limits": limits}}) == [
        "keep_days: 30 -> 40",
        f"time_limits: none -> {text}",
    ]


def test_settings_that_stay() -> None:
    before, after = {"settings": {"keep_days": 30, "a": 1}}, {"settings": {"keep_days": 30, "a": 2}}

    assert described(before, after) == ["a: 1 -> 2"]


def test_what_was_created_or_removed() -> None:
    """Fields without a value are left out."""
    assert described({"owner": "ann", "models": []}, None) == ["owner: ann"]
    assert described(None, {"owner": "ann", "accounts": []}) == ["owner: ann"]


def test_names_of_accounts() -> None:
    """Ids are shown by name, also within steps; those of removed accounts, and groups, as they are."""
    step = {"model": "m", "accounts": ["acct_1", "group:2", "acct_9"], "weight": 1}
    entry = {"action": "a.b", "before": None, "after": {"accounts": ["acct_1", "acct_9"], "steps": [[step]]}}

    assert list(describe_changes(entry, "->", Names({}, {"acct_1": "main"}))) == [
        "accounts: main, acct_9",
        "steps: m@main,group:2,acct_9",
    ]


def test_a_price_replaces_another() -> None:
    """The version of the table changes with every change."""
    before, after = ({"version": f"pool-{n}", "context": n} for n in (1, 2))

    assert described(before, after) == ["context: 1 -> 2"]


def test_an_action_that_changed_nothing_stored() -> None:
    assert described(None, None) == []


def test_what_else_an_entry_records() -> None:
    """A new credential changes no public field."""
    same = {"action": "account.change", "before": {}, "after": {}}

    assert [*describe_changes(same | {"credential": "replaced"}, "->")] == ["credential: replaced"]
    rotation = {"action": "key.rotate", "before": {}, "after": {}, "overlap_seconds": 3600, "who": "ann"}
    assert [*describe_changes(rotation, "->")] == ["overlap_seconds: 1 h"]


def test_a_change_that_changed_nothing() -> None:
    entry = {"action": "key.change", "object": "ann", "before": {"version": 1}, "after": {"version": 2}}

    assert [*describe_changes(entry, "->")] == ["result: nothing changed"]


def test_labels() -> None:
    assert action_label("account.forget_refused") == "account: forget refused"
    assert action_label("admin_token.create") == "admin token: create"
    assert (field_label("until_ms"), field_label("base_url")) == ("until", "base URL")
    assert title_label("base_url") == "Base URL"


def test_states_have_the_names_that_pages_show() -> None:
    assert described({"state": "credential_dead"}, {"state": "active"}) == [
        "state: credential refused -> active"
    ]
