"""The scripts pass the Lua linter, and it finds what would otherwise fail only when a script runs."""

from __future__ import annotations

import shutil

import pytest

from app.stores.scripts import PARTS
from tests.lint.lua import fragments, joined, problems, unused

OPERATION = "settle"


def found(old: str, new: str, file: str = OPERATION) -> list[str]:
    """Return the problems of one operation in which *file* has *new* in place of *old*."""
    files = fragments()
    assert old in files[file]
    changed = {file: files[file].replace(old, new, 1)}
    return problems({OPERATION: joined(OPERATION, files).replace(old, new, 1)}, files | changed)


@pytest.mark.skipif(not shutil.which("luacheck"), reason="needs luacheck (Debian: lua-check)")
class TestProblems:
    def test_none(self) -> None:
        files = fragments()
        assert problems({name: joined(name, files) for name in PARTS}, files) == []

    @pytest.mark.parametrize(
        ("new", "code", "name"),
        [
            pytest.param("local x = no_such_helper(1)\nif x then return x end\n", "W113", "no_such_helper"),
            pytest.param("local x = os.time()\nif x then return x end\n", "W143", "time", id="not in Redis"),
            pytest.param("leaked = 1\n", "W111", "leaked", id="global"),
            pytest.param("local x = 1\n", "W211", "x", id="unused"),
            pytest.param("local x = = 1\n", "E011", "=", id="syntax"),
        ],
    )
    def test_of_an_operation(self, new: str, code: str, name: str) -> None:
        begin = "local args, now = cjson.decode(ARGV[1]), clock()\n"
        line = fragments()[OPERATION].partition(begin)[0].count("\n") + 2

        reported = found(begin, begin + new)

        assert any(
            each.startswith(f"{OPERATION}.lua:{line}: ({code})") and name in each for each in reported
        ), reported

    def test_of_a_part(self) -> None:
        """The place is that of the part, not of the joined text."""
        begin = "local function read_request(id)\n"
        line = fragments()["requests"].partition(begin)[0].count("\n") + 2

        reported = found(begin, begin + "  forget(id)\n", "requests")

        assert reported == [f"requests.lua:{line}: (W113) accessing undefined variable 'forget'"]


def test_definition_that_no_operation_uses() -> None:
    files = fragments()
    more = {"clock": files["clock"] + "\nlocal function yesterday() return clock() - 86400000 end\n"}

    assert unused(files, PARTS) == []
    assert unused(files | more, PARTS) == ["clock.lua: no operation uses yesterday"]
