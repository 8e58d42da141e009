"""A script has what it uses of its parts, and nothing else."""

from __future__ import annotations

import re

import pytest

from app.stores.script_source import join_script
from app.stores.scripts import PARTS, source

PARTS_OF_TEST = (
    "-- a part\nlocal ONE, TWO = 1, 2\nlocal UNUSED = 3 -- ONE\n",
    "local function add(a)\n  return a + TWO\nend\n\n-- More.\nlocal function more(a) return add(a) end\n",
)


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
        """What stands behind `..` is no field."""
        assert "local ONE, TWO" in join_script(PARTS_OF_TEST, "return ARGV[1]..TWO")

    @pytest.mark.parametrize("operation", PARTS)
    def test_locals(self, operation: str) -> None:
        """Lua takes 200 local variables; some room is left for those of the operation's own blocks."""
        assert len(re.findall(r"^local ", source(operation), re.M)) < 180
