"""Chat names of tools, and the tools that names mean."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.translation.requests.chat_tool_names import ChatToolNames, ToolRef, ref_of, short_id, walk
from tests.support.examples import examples

NAME = st.sampled_from(["a", "b", "f", "a__f", "a__b", "c", "x" * 60, "x" * 64, "x" * 90])
TOOL = st.one_of(
    st.builds(lambda kind, name: {"type": kind, "name": name}, st.sampled_from(["function", "custom"]), NAME),
    st.just({"type": "local_shell"}),
)
NAMESPACE = st.builds(
    lambda name, tools: {"type": "namespace", "name": name, "tools": tools}, NAME, st.lists(TOOL, max_size=3)
)


@settings(max_examples=examples(200))
@given(st.lists(TOOL | NAMESPACE, max_size=5))
def test_each_tool_has_its_own_name(tools):
    """Of at most 64 characters, and it leads back to the tool."""
    names = ChatToolNames(tools)
    refs = {ref_of(tool, namespace) for tool, namespace in walk(tools)}
    chosen = {ref: names.name(ref) for ref in refs}

    assert len(set(chosen.values())) == len(refs)
    assert all(len(name) <= 64 and names.ref(name) == ref for ref, name in chosen.items())
    assert ChatToolNames(tools).name(ToolRef("function", "a", "f")) == names.name(
        ToolRef("function", "a", "f")
    )


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        (ToolRef("function", "", "f"), "f"),
        (ToolRef("function", "files", "read"), "files__read"),
        (ToolRef("function", "", "x" * 64), "x" * 64),
    ],
)
def test_name(ref, name):
    """It is exact where chat allows that."""
    assert ChatToolNames([]).name(ref) == name


def test_tool_of_an_earlier_turn():
    """A name that is too long is the same with and without its tool."""
    tool = {"type": "function", "name": "y" * 50}
    ref = ToolRef("function", "x" * 31, "y" * 50)
    tools = [{"type": "namespace", "name": "x" * 31, "tools": [tool]}]

    assert ChatToolNames([]).name(ref) == ChatToolNames(tools).name(ref)


def test_unknown_name():
    assert ChatToolNames([]).ref("g") == ToolRef("function", "", "g")


def test_short_id():
    assert short_id("call_1") == "call_1"
    assert len(short_id("a" * 65)) == 64
    assert short_id("a" * 65) == short_id("a" * 65) != short_id("a" * 66)
