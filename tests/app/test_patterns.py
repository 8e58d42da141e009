"""One meaning of `*`, in Python and in the scripts of the store, in linear time."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.accounts.settings import with_time_limit
from app.errors import InvalidRequest
from app.limits.limit_syntax import parse_limit
from app.patterns import MAX_STARS, matches, pattern_error
from schemas.bounds import MAX_TIME_LIMIT_PATTERNS
from tests.support.examples import examples

WINDOWS = (resources.files("app.stores") / "lua" / "windows.lua").read_text()
LUA = WINDOWS + "\nreturn matches(ARGV[1], ARGV[2]) and 1 or 0"
letters = st.text(alphabet="ab*.%-[?é", max_size=12)


@given(letters, letters)
def test_equals_a_regular_expression(pattern: str, name: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL)
    assert matches(pattern, name) is (expected is not None)


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=letters, name=letters)
def test_lua_and_python_agree(redis_client: Any, pattern: str, name: str) -> None:
    assert redis_client.eval(LUA, 0, pattern, name) == matches(pattern, name)


def test_what_took_minutes_takes_no_time(redis_client: Any) -> None:
    """A pattern with many stars against a long name that is nearly like it: the work is bounded."""
    pattern, name = "gpt-5" + "*codex" * 8 + "*mini", "gpt-5" + "codex" * 20_000
    before = redis_client.info("commandstats").get("cmdstat_eval", {"usec": 0})["usec"]

    assert redis_client.eval(LUA, 0, pattern, name) == 0
    assert not matches(pattern, name)
    assert redis_client.info("commandstats")["cmdstat_eval"]["usec"] - before < 1_000_000  # it was 5 s


@pytest.mark.parametrize("pattern", ["x" * 257, "*a" * (MAX_STARS + 1)])
def test_new_ones_are_bounded(pattern: str) -> None:
    assert pattern_error(pattern)
    with pytest.raises(InvalidRequest):
        parse_limit(f"5 requests/day for {pattern}")
    with pytest.raises(InvalidRequest):
        with_time_limit("", pattern, "idle", 30.0)


@pytest.mark.parametrize("pattern", ["x" * 256, "*a" * MAX_STARS, "*"])
def test_at_the_bound(pattern: str) -> None:
    assert pattern_error(pattern) == ""
    assert parse_limit(f"5 requests/day for {pattern}").model == pattern


@pytest.mark.parametrize("pattern", [" gpt-5", "gpt-5 ", "gpt-5*\t", "gpt\u200b-5"])
def test_spaces_at_either_end(pattern: str) -> None:
    """Many upstreams ignore them, and no request has such a name: the limit would count nothing."""
    assert pattern_error(pattern)
    with pytest.raises(InvalidRequest):
        parse_limit("5 requests/day", model=pattern)


def test_at_most_so_many_with_time_limits() -> None:
    text = ""
    for number in range(MAX_TIME_LIMIT_PATTERNS):
        text = with_time_limit(text, f"m{number}", "idle", 30.0)

    with pytest.raises(InvalidRequest, match="at most 64 models"):
        with_time_limit(text, "other", "idle", 30.0)
    assert with_time_limit(text, "m0", "idle", 40.0) != text
