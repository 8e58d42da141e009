"""Calls are found by whichever name an event has for them."""

from __future__ import annotations

import pytest

from app.translation.events.tool_calls import ToolCalls

CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "f"}


@pytest.mark.parametrize("event", [{"call_id": "call_a"}, {"item_id": "fc_1"}, {"output_index": 3}])
def test_three_names(event):
    slots = ToolCalls()
    slot = slots.open(CALL, 3)

    assert slots.find(event) is slot
    assert (slot.call_id, slot.name, slot.custom) == ("call_a", "f", False)


def test_opened_twice():
    slots = ToolCalls()

    assert slots.open(CALL, 3) is slots.open(CALL, None)
    assert len(slots) == 1


def test_call_id_decides():
    """The same name, item or place does not make two calls one."""
    slots = ToolCalls()
    first, second = slots.open(CALL, 0), slots.open({**CALL, "call_id": "call_b"}, 0)

    assert list(slots) == [first, second]
    assert slots.find({"call_id": "call_a"}) is first
    assert slots.find({"output_index": 0}) is second


def test_without_call_id():
    """The item's id serves; without either the client still gets an id it can send back."""
    slots = ToolCalls()

    assert slots.open({"id": "fc_1"}, 0).call_id == "fc_1"
    assert len([slots.open({"id": "fc_1"}, 0), *slots]) == 2
    assert slots.open({}, 1).call_id == "call_1"


def test_index_counts_announced_calls():
    slots = ToolCalls()
    first, second = slots.open(CALL, 0), slots.open({**CALL, "call_id": "call_b"}, 1)
    assert not first.announced

    slots.announce(second)
    slots.announce(first)

    assert (second.index, first.index) == (0, 1)
    assert first.announced


def test_call_id_that_comes_late():
    slots = ToolCalls()
    call = slots.open({"id": "fc_1", "name": "f"}, 0)

    assert slots.open(CALL, 0) is call
    assert slots.find({"call_id": "call_a"}) is call
    assert call.call_id == "fc_1"  # the client has that one


def test_two_items_with_one_call_id():
    slots = ToolCalls()
    first, second = slots.open(CALL, 0), slots.open({**CALL, "id": "fc_2"}, 1)

    assert first is not second
    assert first.call_id != second.call_id
    assert slots.open({**CALL, "id": "fc_2"}, 1) is second
    assert slots.find({"output_index": 1}) is second


def test_item_id_that_changes():
    slots = ToolCalls()

    assert slots.open(CALL, 0) is slots.open({**CALL, "id": "fc_2"}, 0)
    assert slots.open(CALL, 0) is slots.open(CALL, 3)


def test_unknown():
    assert ToolCalls().find({"call_id": "x", "item_id": None}) is None


@pytest.mark.parametrize("odd", [[1], {"a": 1}, [[]]])
def test_values_that_are_not_names(odd):
    """An upstream may send anything for one: it is not found by that, and nothing fails."""
    slots = ToolCalls()
    slot = slots.open({**CALL, "id": odd}, odd)

    assert slots.find({"call_id": odd, "item_id": odd, "output_index": odd}) is None
    assert slots.find({"call_id": "call_a"}) is slot
