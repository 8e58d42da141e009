"""Pieces of calls as servers send them, and as SDKs can join them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from app.streaming.tool_call_repair import ToolCallRepair, declared_names

Piece = dict[str, Any]


def piece(index: Any = None, call_id: Any = None, kind: Any = None, **called: Any) -> Piece:
    fields = {"index": index, "id": call_id, "type": kind, "function": called or None}
    return {key: value for key, value in fields.items() if value is not None}


def joined(*deltas: list[Piece], names: frozenset[str] | None = None) -> list[tuple[str, str, str, str]]:
    """Return (id, type, name, text) of each call as an SDK joins repaired deltas."""
    repair, sent = ToolCallRepair("call", names), []
    for delta in deltas:
        sent += delta if repair.note_regular(delta) else repair.repaired(delta)
    if repair.is_holding:
        sent += repair.release()
    calls: list[list[str]] = []
    for part in sent:
        index = part["index"]
        assert type(index) is int
        if index == len(calls):
            calls.append(["", part["type"], "", ""])
        called = part.get("function") or part.get("custom") or {}
        calls[index][0] += part.get("id") or ""
        calls[index][2] += called.get("name") or ""
        calls[index][3] += called.get("arguments") or called.get("input") or ""
    return [(call[0], call[1], call[2], call[3]) for call in calls]


TWO = [("a", "function", "f", '{"x":1}'), ("b", "function", "g", "{}")]
COMPLETE_F, COMPLETE_G = {"name": "f", "arguments": '{"x":1}'}, {"name": "g", "arguments": "{}"}


@pytest.mark.parametrize(
    "deltas",
    [
        [  # as documented
            [piece(0, "a", "function", name="f", arguments="")],
            [piece(0, arguments='{"x":')],
            [piece(0, arguments="1}")],
            [piece(1, "b", "function", name="g", arguments="{}")],
        ],
        [[piece(0, "a", "function", **COMPLETE_F)], [piece(0, "b", "function", **COMPLETE_G)]],  # Gemini
        [[piece(None, "a", **COMPLETE_F), piece(None, "b", **COMPLETE_G)]],  # Mistral
        [[piece(None, "a", **COMPLETE_F)], [piece(None, "b", **COMPLETE_G)]],
        [  # Qwen repeats ids and types
            [piece(0, "a", "function", name="f", arguments="")],
            [piece(0, "", "function", name="", arguments='{"x":')],
            [piece(0, "a", "function", name="f", arguments="1}")],
            [piece(1, "b", "function", **COMPLETE_G)],
        ],
        [  # arguments as an object
            [piece(0, "a", "function", name="f", arguments={"x": 1})],
            [piece(1, "b", "function", name="g", arguments={})],
        ],
        [  # the name, or the id, comes later
            [piece(0, "a", "function", arguments="")],
            [piece(0, name="f", arguments='{"x":1}')],
            [piece(1, None, "function", name="g", arguments="")],
            [piece(1, "b", arguments="{}")],
        ],
        [  # no index, in pieces
            [piece(None, "a", "function", name="f", arguments="")],
            [piece(None, None, None, arguments='{"x":1}')],
            [piece(None, "b", "function", **COMPLETE_G)],
        ],
        [  # an id of its own for each piece
            [piece(0, "a", "function", name="f", arguments="")],
            [piece(0, "a2", arguments='{"x":1}')],
            [piece(1, "b", "function", **COMPLETE_G)],
        ],
    ],
)
def test_two_calls(deltas):
    assert joined(*deltas) == TWO


@pytest.mark.parametrize("index", [0, None])
def test_ids_are_made(index):
    calls = joined([piece(index, "", **COMPLETE_F)], [piece(index, "", **COMPLETE_G)])

    assert [call[1:] for call in calls] == [call[1:] for call in TWO]
    assert len({call[0] for call in calls}) == 2
    assert all(call[0] for call in calls)


def test_one_id_for_two_calls():
    calls = joined([piece(0, "a", "function", **COMPLETE_F)], [piece(1, "a", "function", **COMPLETE_G)])

    assert [call[2:] for call in calls] == [call[2:] for call in TWO]
    assert len({call[0] for call in calls}) == 2


def test_custom_without_type():
    call = {"index": 0, "id": "a", "custom": {"name": "patch", "input": "x"}}

    assert joined([call], [{"index": 0, "custom": {"input": "y"}}]) == [("a", "custom", "patch", "xy")]


def test_call_without_a_name_is_sent_at_the_end():
    assert joined([piece(0, "a", "function", arguments="{}")]) == [("a", "function", "", "{}")]


def test_other_keys_stay():
    repair = ToolCallRepair("call")
    extra = {"extra_content": {"google": {"thought_signature": "c2ln"}}}

    assert (
        repair.repaired([{**piece(None, "a", **COMPLETE_F), **extra}])[0]["extra_content"]
        == extra["extra_content"]
    )


@pytest.mark.parametrize("pieces", ["x", 7, [None], ["x", {}], {"a": 1}, [{"index": 0, "function": None}]])
def test_invalid_values_are_left_out(pieces):
    repair = ToolCallRepair("call")

    assert not repair.note_regular(pieces)
    assert repair.repaired(pieces) == repair.release() == []
    assert not repair.is_holding


@pytest.mark.parametrize(
    "pieces",
    [
        {"id": "a", "type": "function", "function": COMPLETE_F},  # an object in place of a list
        [piece("0", "a", "function", **COMPLETE_F), None],
        [{"index": 0.5, "id": "a", "function": COMPLETE_F}],
        [{"index": "first", "id": "a", "function": COMPLETE_F}],
        [{"index": 0, "id": "a", "function": "f", "arguments": '{"x":1}'}],
        [{"index": 0, "id": "a", "name": "f", "arguments": {"x": 1}}],
        [{"index": 0, "id": "a", "function": None}, {"index": 0, "function": COMPLETE_F}],
        [{"index": 0, "id": "a", "function": {"name": ["f"]}}, {"index": 0, "function": COMPLETE_F}],
    ],
)
def test_one_call_of_other_types(pieces):
    assert joined(pieces) == TWO[:1]


def test_pieces_with_an_index_that_is_text():
    deltas = [
        [piece(index, call_id, "function", name=name, arguments=text[:1]), piece(index, arguments=text[1:])]
        for index, call_id, name, text in (("0", "a", "f", '{"x":1}'), ("1", "b", "g", "{}"))
    ]

    assert joined(*deltas) == TWO


@pytest.mark.parametrize(
    "sent",
    [
        lambda number: {"function": {"name": "f", "arguments": "{}"}},
        lambda number: {"id": "same", "index": number, "function": {"name": "f", "arguments": "{}"}},
        lambda number: {
            "id": f"c{number}",
            "type": "function",
            "index": number,
            "function": {"name": "f", "arguments": "{}"},
        },
        lambda number: {"index": 0, "function": {"name": "f", "arguments": "{,"}},
    ],
)
def test_each_call_costs_as_much_as_the_one_before_it(sent: Callable[[int], Piece]) -> None:
    repair = ToolCallRepair("call")

    def seconds(numbers: range) -> float:
        started = time.thread_time()
        for number in numbers:
            pieces = [sent(number)]
            if not repair.note_regular(pieces):
                repair.repaired(pieces)
        return time.thread_time() - started

    first = min(seconds(range(at, at + 200)) for at in range(0, 1000, 200))
    seconds(range(1000, 20_000))
    last = min(seconds(range(at, at + 200)) for at in range(20_000, 21_000, 200))
    assert last < 10 * first


def test_made_up_ids_differ_from_those_that_were_sent() -> None:
    sent = [{"id": f"call_{number}", "function": {"name": "f"}} for number in range(2, 6)]
    repair = ToolCallRepair("call")
    pieces = repair.repaired([*sent, *({"function": {"name": "f"}} for _ in range(4))]) + repair.release()
    assert len({piece["id"] for piece in pieces}) == len(pieces) == 8


def test_input_of_a_custom_call_is_text() -> None:
    repair = ToolCallRepair("call")

    assert repair.note_regular(
        [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "p", "input": "{"}}]
    )
    assert not repair.has_cut_call()


FIRST = piece(0, "a", "function", name="get_", arguments="")
REST = '{"x":1}'
FRAGMENTS: list[list[list[Piece]]] = [
    [[FIRST], [piece(0, name="weather")], [piece(0, arguments=REST)]],
    [[FIRST], [piece(0, "a", name="weather", arguments="")], [piece(0, "a", arguments=REST)]],
    [[FIRST], [piece(0, name="wea")], [piece(0, name="ther", arguments=REST)]],
    [[FIRST], [piece(0, name="get_weather")], [piece(0, name="get_weather", arguments=REST)]],
    [[FIRST, piece(0, name="weather", arguments=REST)]],
    [[piece(None, "a", name="get_")], [piece(None, name="weather")], [piece(None, arguments=REST)]],
]
REPEATED = [
    [piece(0, "a", "function", name="get_weather", arguments="")],
    [piece(0, name="get_weather", arguments='{"x":')],
    [piece(0, name="get_weather", arguments="1}")],
    [piece(0, name="get_weather", arguments="")],
]


@pytest.mark.parametrize("names", [frozenset(("get_weather", "get_time")), frozenset()])
@pytest.mark.parametrize("deltas", [*FRAGMENTS, REPEATED])
def test_a_name_in_fragments(deltas: list[list[Piece]], names: frozenset[str]) -> None:
    assert joined(*deltas, names=names) == [("a", "function", "get_weather", REST)]


def test_a_name_in_fragments_without_arguments() -> None:
    deltas = [FIRST], [piece(0, name="weather")]

    assert joined(*deltas, names=frozenset()) == [("a", "function", "get_weather", "")]


@pytest.mark.parametrize(("name", "is_held"), [("get_weather", False), ("get_", True), ("unknown", False)])
def test_only_the_beginning_of_a_name_is_held_back(name: str, is_held: bool) -> None:
    repair = ToolCallRepair("call", frozenset(("get_weather", "get_")) - {name if is_held else ""})

    assert repair.note_regular([piece(0, "a", "function", name=name, arguments="")]) is not is_held


def test_two_names_without_ids_are_two_calls() -> None:
    deltas = [piece(0, None, "function", name="f", arguments="")], [piece(0, name="g", arguments="{}")]

    assert [call[2] for call in joined(*deltas, names=frozenset("fg"))] == ["f", "g"]


@pytest.mark.parametrize(
    "indexes",
    [(1, 2), (1, 0), (0, 2)],
    ids=["beginning with 1", "in another order", "with a gap"],
)
def test_calls_are_numbered_in_order(indexes: tuple[int, int]) -> None:
    first, second = indexes
    deltas = [
        [piece(first, "a", "function", name="f", arguments="")],
        [piece(first, arguments='{"x":')],
        [piece(second, "b", "function", name="g", arguments="")],
        [piece(first, arguments="1}")],
        [piece(second, arguments="{}")],
    ]

    assert joined(*deltas) == TWO


@pytest.mark.parametrize("index", [0, 1])
def test_a_call_after_one_whose_name_is_not_known_yet(index: int) -> None:
    time_call = piece(index, "b", "function", name="get_time", arguments="{}")
    rest = [] if index == 0 else [[piece(0, name="weather", arguments=REST)]]

    calls = joined([FIRST], [time_call], *rest, names=frozenset(("get_weather", "get_time")))

    assert calls[0] == ("b", "function", "get_time", "{}")
    assert calls[1] == ("a", "function", *(("get_weather", REST) if rest else ("get_", "")))


@pytest.mark.parametrize("name", ["f", "g"])
def test_two_calls_with_one_id_and_no_index(name: str) -> None:
    deltas = [
        [piece(None, "a", name="f", arguments='{"x":1}')],
        [piece(None, "a", name=name, arguments="{")],
        [piece(None, "a", arguments="}")],
    ]

    calls = joined(*deltas)

    assert [call[2:] for call in calls] == [("f", '{"x":1}'), (name, "{}")]
    assert calls[0][0] != calls[1][0]


def test_two_calls_with_one_id_in_one_delta() -> None:
    calls = joined([piece(0, "a", "function", **COMPLETE_F), piece(1, "a", "function", **COMPLETE_G)])

    assert [call[2:] for call in calls] == [call[2:] for call in TWO]
    assert calls[0][0] != calls[1][0]


def test_the_type_of_a_call_is_not_taken_back() -> None:
    repair = ToolCallRepair("call")
    assert repair.note_regular([piece(0, "a", "function", name="f", arguments="")])
    later = {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": "{}"}}

    assert not repair.note_regular([later])
    assert repair.repaired([later]) == [{"index": 0, "function": {"arguments": "{}"}}]


@pytest.mark.parametrize("tools", [None, "x", [None], [{"type": "web_search"}], [{"function": {"name": 7}}]])
def test_tools_without_names(tools: Any) -> None:
    assert declared_names(tools) == frozenset()


def test_names_of_tools() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "g"}}]

    assert declared_names(tools) == {"f", "g"}
