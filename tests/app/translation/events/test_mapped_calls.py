"""Function calls that stand for custom calls and `local_shell` calls."""

from __future__ import annotations

import pytest

from app.translation.events.mapped_calls import OpenCustomCall, OpenShellCall

SHELL = {"type": "local_shell_call", "call_id": "call_1"}


def closed(call, *pieces: str) -> tuple[list[dict], dict]:
    events = [*call.announce(), *(event for piece in pieces for event in call.add_payload(piece))]
    last, item = call.close("completed")
    return [*events, *last], item


def test_custom_call():
    """Its input is one delta, at its end."""
    call = OpenCustomCall("ctc_1", 2, {"type": "custom_tool_call", "call_id": "call_1", "name": "p"})
    events, item = closed(call, '{"inp', 'ut":"a\\nb"}')

    assert [event["type"] for event in events] == [
        "response.output_item.added",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "response.output_item.done",
    ]
    assert (events[1]["delta"], events[2]["input"], item["input"]) == ("a\nb", "a\nb", "a\nb")
    assert events[0]["item"]["input"] == ""
    assert {event["output_index"] for event in events} == {2}


def test_shell_call():
    events, item = closed(OpenShellCall("lsh_1", 0, SHELL), '{"command":', '["ls"]}')

    assert [event["type"] for event in events] == ["response.output_item.added", "response.output_item.done"]
    assert item == {
        "id": "lsh_1",
        **SHELL,
        "action": {"type": "exec", "command": ["ls"], "env": {}},
        "status": "completed",
    }


@pytest.mark.parametrize("arguments", ["{}", '{"command":["l', ""])
def test_shell_call_without_a_command(arguments):
    """It is shown as the function call that it was."""
    events, item = closed(OpenShellCall("lsh_1", 0, SHELL), arguments)

    assert (item["type"], item["name"], item["arguments"]) == ("function_call", "local_shell", arguments)
    assert events[0]["item"]["type"] == "function_call"
    assert "".join(event.get("delta", "") for event in events) == arguments
