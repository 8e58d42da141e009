"""Tables are aligned, and texts of upstreams cannot control a terminal."""

from __future__ import annotations

import json

import pytest

from app.cli.output import table
from app.formatting import moment


def test_words_to_the_left_and_numbers_to_the_right():
    assert table(("NAME", "N", "LAST"), [("a", 5, "x"), ("longer", 1000, "yy")]).splitlines() == [
        "NAME       N  LAST",
        "a          5  x",
        "longer  1000  yy",
    ]


def test_an_empty_cell():
    """`awk` can separate the columns."""
    assert table(("A", "B"), [("", "x")]).splitlines() == ["A  B", "-  x"]


def test_control_characters():
    assert table(("A",), [("\x1b[2J\nb",)]).splitlines() == ["A", "?[2J?b"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "1970-01-01 00:00Z"), (1798828200.9, "2027-01-01 18:30Z")]
)
def test_moments(seconds, shown):
    assert moment(seconds) == shown


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("key create --name ann --expires soon", "--expires must be a date such as 2027-01-01, "),
        ("key create --name ann --queue-seconds=-1", "--queue-seconds must be "),
        ("usage --from soon", "--from must be a date such as 2026-11-20, "),
        ("usage --to 2026-11-01", "--to needs --from, when the range begins, such as 2026-11-01"),
        ("model set", "Missing argument"),
    ],
)
def test_errors_name_the_option(poolgate, command, message):
    assert poolgate(command).stderr.startswith(f"Error: {message}")


@pytest.mark.parametrize(
    ("command", "param"),
    [
        ("key create --name ann --expires soon", "expires"),
        ("key set ann --queue-seconds soon", "queue_seconds"),
        ("key set ann --queue-seconds=-1", "queue_seconds"),
        ("key create", "name"),
        ("key create --name", "name"),
        ("key create --name ann --expires 1969-01-01", "expires"),
        ("key list --top 0", "top"),
        ("key show", "name"),
        ("usage --from soon", "from"),
        ("usage --to 2026-11-01", "to"),
        ("usage --by endpoint", "by"),
        ("request list --status soon", "status"),
        ("account set main --timeout soon", "timeout"),
        ("snippet codex --url here", "url"),
        ("pool list --pool A", "pool"),
        ("key list --sort name --json", None),
        ("key set ann", None),
    ],
)
def test_errors_in_json_name_the_parameter(poolgate, command, param):
    """As its option is called; none where several are wrong together."""
    result = poolgate(command, "--json")

    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"].get("param") == param


def test_limits_with_separators(poolgate):
    """CSV and JSON have the text as it is stored; one with separators can be given, too."""
    poolgate("key create --name ann --limit", "1,000,000 total_tokens/day")

    assert "1,000,000 total_tokens/day" in poolgate("key list").stdout
    assert "1000000 total_tokens/day" in poolgate("key list --csv").stdout
    assert "1000000 total_tokens/day" in poolgate("key limit list ann --json").stdout
    assert "Added" in poolgate("pool limit add", "2,500.50 usd/month").stdout
    assert "2,500.5 usd/month" in poolgate("pool limit list").stdout
