"""Points in time that options take."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click
import pytest

from app.cli.times import absolute, day_of, moment_of, relative
from tests.app.cli.conftest import Run

NOW = datetime(2026, 11, 25, 0, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # a Wednesday; in UTC still Tuesday


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("today", "2026-11-25"),
        ("yesterday", "2026-11-24"),
        ("tuesday", "2026-11-24"),
        ("wednesday", "2026-11-18"),
        ("thursday", "2026-11-19"),
        ("1 day ago", "2026-11-24"),
        ("2 weeks ago", "2026-11-11"),
        ("90 minutes ago", "2026-11-24T23:00:00+01:00"),
        ("3hours ago", "2026-11-24T21:30:00+01:00"),
        ("tomorrow", None),
        ("99999 days ago", None),
        ("2026-11-20", None),
    ],
)
def test_words(words: str, value: str | None) -> None:
    """Days are those of the zone; a weekday is the latest before today."""
    assert relative(words, NOW) == value


def test_dates_and_times() -> None:
    assert absolute(" 2026-11-20 ", "--since") == "2026-11-20"
    assert absolute("2026-11-20T18:00", "--since") == "2026-11-20T18:00:00+00:00"
    assert absolute("2026-11-20T18:00+02:00", "--since") == "2026-11-20T16:00:00+00:00"
    assert moment_of("2026-11-20", "--since") == "2026-11-20T00:00:00+00:00"
    assert day_of("Today", "--since") == datetime.now(UTC).date()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ysterday", "must be like 2026-11-20, .* 'yesterday'"),
        ("2026-13-01", "must be like 2026-11-20"),
        ("", "must be like 2026-11-20"),
        ("0001-01-01", "must be after 1970"),
        ("9999 weeks ago", "must be after 1970"),
        ("9" * 5000, "must be like"),
    ],
)
def test_what_is_none(text: str, problem: str) -> None:
    with pytest.raises(click.UsageError, match=f"--since {problem}"):
        absolute(text, "--since")


@pytest.mark.parametrize("command", ["request list --since", "request list --until", "usage --from"])
def test_commands_that_take_a_time(poolgate: Run, command: str) -> None:
    poolgate("pool set --zone Asia/Tokyo")

    assert poolgate(command, "2 hours ago").exit_code == 0
    refused = poolgate(command, "the other day")
    assert refused.exit_code == 2
    assert f"{command.split()[-1]} must be like" in refused.stderr
