"""Points in time that options take."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click
import pytest

from app.cli.times import absolute, day_of, expiry, moment_of, relative
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
        ("2d", "2026-11-23"),
        ("1 w", "2026-11-18"),
        ("90m", "2026-11-24T23:00:00+01:00"),
        ("3h", "2026-11-24T21:30:00+01:00"),
        ("2x", None),
        ("2 hours", None),
        ("tomorrow", None),
        ("99999 days ago", None),
        ("2026-11-20", None),
    ],
)
def test_words(words: str, value: str | None) -> None:
    """Days are those of the zone; a weekday is the latest before today."""
    assert relative(words, NOW) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 30 * 86_400), (" 12 H", 43_200), ("in 2 weeks", 14 * 86_400), ("90m", 5400), ("1 day", 86_400)],
)
def test_expiries(text: str, seconds: int) -> None:
    """A time from now is exact; everything else is unchanged."""
    before = datetime.now(UTC).timestamp()

    assert 0 <= datetime.fromisoformat(expiry(text)).timestamp() - before - seconds + 1 <= 60


def test_an_expiry_at_a_date() -> None:
    assert expiry("2027-01-01") == "2027-01-01"


@pytest.mark.parametrize("text", ["never", "soon", "2 days ago", "d", "12345d", ""])
def test_texts_that_are_no_expiry(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        expiry(text)


def test_an_expiry_out_of_range() -> None:
    with pytest.raises(click.BadParameter, match="must be before the year 3000"):
        expiry("3000-01-01")


@pytest.mark.parametrize("command", ["key create --name bob", "key set ann", "admin token create ci"])
def test_commands_that_take_an_expiry(poolgate: Run, command: str) -> None:
    poolgate("key create --name ann")

    assert poolgate(f"{command} --expires 30d").exit_code == 0
    assert poolgate(f"{command} --expires soon").exit_code == 2


def test_dates_and_times() -> None:
    assert absolute(" 2026-11-20 ", "--since") == "2026-11-20"
    assert absolute("2026-11-20T18:00", "--since") == "2026-11-20T18:00:00+00:00"
    assert absolute("2026-11-20T18:00+02:00", "--since") == "2026-11-20T16:00:00+00:00"
    assert moment_of("2026-11-20", "--since") == "2026-11-20T00:00:00+00:00"
    assert day_of("Today", "--since") == datetime.now(UTC).date()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ysterday", "must be a date such as 2026-11-20, .* 'yesterday'"),
        ("2026-13-01", "must be a date such as 2026-11-20"),
        ("", "must be a date such as 2026-11-20"),
        ("0001-01-01", "must be after 1970"),
        ("9999 weeks ago", "must be after 1970"),
        ("9" * 5000, "must be a date"),
    ],
)
def test_what_is_none(text: str, problem: str) -> None:
    with pytest.raises(click.UsageError) as error:
        absolute(text, "--since")

    assert re.match(f"--since {problem}", error.value.format_message())


@pytest.mark.parametrize(
    "command", ["request list --since", "request list --until", "usage --from", "usage --since"]
)
def test_commands_that_take_a_time(poolgate: Run, command: str) -> None:
    poolgate("pool set --zone Asia/Tokyo")

    assert poolgate(command, "2 hours ago").exit_code == 0
    assert poolgate(command, "2h").exit_code == 0
    refused = poolgate(command, "the other day")
    assert refused.exit_code == 2
    assert f"{command.split()[-1]} must be a date" in refused.stderr


@pytest.mark.parametrize("command", ["request list", "logs"])
@pytest.mark.parametrize("status", ["bogus", "6xx", ",".join(["200"] * 40)])
def test_a_wrong_status(poolgate: Run, command: str, status: str) -> None:
    poolgate("key create --name ann")

    refused = poolgate(f"{command} --status", status)

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("Error: --status must be ")
