"""Names of keys, accounts and teams, also of those that were removed."""

from __future__ import annotations

import pytest

from app.presentation.names import Names

NAMES = Names({"key_1": "ann"}, {"acct_1": "main"}, {"key_2": "bob", "acct_2": "old"}, frozenset(("red",)))


@pytest.mark.parametrize(
    ("noun", "object_id", "label"),
    [
        ("key", "key_1", "ann"),
        ("key", "key_2", "bob (removed)"),
        ("key", "key_3", "key_3 (removed)"),
        ("account", "acct_1", "main"),
        ("account", "acct_2", "old (removed)"),
        ("team", "red", "red"),
        ("team", "blue", "blue (removed)"),
        ("key", "", ""),
        ("team", "", ""),
    ],
)
def test_label(noun: str, object_id: str, label: str) -> None:
    assert NAMES.label(noun, object_id) == NAMES.line(noun, object_id) == label


def test_teams_that_were_not_read() -> None:
    assert Names({}, {}).label("team", "red") == "red"


def test_lines_without_names() -> None:
    assert NAMES.line("model", "gpt-5") == "gpt-5"
    assert NAMES.line("label:env", "prod") == "prod"
