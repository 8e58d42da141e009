"""A script contains the definitions that it uses, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources

import pytest

from app.stores import script_source
from app.stores.script_source import definitions, top_level_names
from app.stores.scripts import PARTS

PARTS_OF_TEST = (
    "-- a part\nlocal ONE, TWO = 1, 2\nlocal UNUSED = 3 -- ONE\n",
    "local function add(a)\n  return a + TWO\nend\n\n-- More.\nlocal function more(a) return add(a) end\n",
)


def join_script(parts: Iterable[str], operation: str) -> str:
    return script_source.join_script(map(definitions, parts), operation)


def without_blank_lines(text: str) -> str:
    """Return *text* without the blank lines behind definitions."""
    return re.sub(r"\n+", "\n", text)


class TestPutTogether:
    def test_through_others(self) -> None:
        """What a used definition uses comes with it, in the order of the parts."""
        text = join_script(PARTS_OF_TEST, "return more(1)")

        assert re.findall(r"^local (?:function )?(\w+)", text, re.M) == ["ONE", "add", "more"]
        assert text.endswith("return more(1)")

    @pytest.mark.parametrize(
        "operation",
        [
            pytest.param("return 1 -- more(1)", id="comment"),
            pytest.param("-- more(1)\nreturn 1", id="line of comment"),
            pytest.param("return ask.more", id="field"),
            pytest.param("return f(1).more + t[1].more", id="field of a value"),
        ],
    )
    def test_no_use(self, operation: str) -> None:
        assert join_script(PARTS_OF_TEST, operation) == operation

    def test_joined_text(self) -> None:
        """A name after `..` is not the name of a field."""
        assert "local ONE, TWO" in join_script(PARTS_OF_TEST, "return ARGV[1]..TWO")

    def test_rare(self) -> None:
        """What only rare functions use is defined inside each of them; what others use as well, once."""
        used = "local A = 1\nlocal function b() return A end\n"
        parts = (
            f"{used}local C = 3\nlocal function d() -- rare\n  return b() + C\nend\n",
            "local function e() -- rare\n  return b()\nend\n",
        )

        assert without_blank_lines(join_script(parts, "return d() + e() + C")) == (
            f"local C = 3\nlocal function d() -- rare\n{used}  return b() + C\nend\n"
            f"local function e() -- rare\n{used}  return b()\nend\nreturn d() + e() + C"
        )

    def test_rare_in_rare(self) -> None:
        """A rare function that only another one calls is defined in that, with what it uses."""
        parts = (
            "local A = 1\nlocal function b() -- rare\n  return A\nend\n",
            "local function c() -- rare\n  return b()\nend\n",
        )

        assert without_blank_lines(join_script(parts, "return c()")) == (
            "local function c() -- rare\nlocal function b() -- rare\nlocal A = 1\n  return A\nend\n"
            "  return b()\nend\nreturn c()"
        )

    @pytest.mark.parametrize("operation", PARTS)
    def test_locals(self, operation: str) -> None:
        """Lua takes 200 local variables; some room is left for those of the operation's own blocks."""
        folder = resources.files("app.stores") / "lua"
        text = (folder / f"{operation}.lua").read_text()
        parts = [definitions((folder / f"{part}.lua").read_text()) for part in PARTS[operation]]
        names = top_level_names(parts, text)
        assert len(names) + len(re.findall(r"^local ", text, re.M)) < 180
