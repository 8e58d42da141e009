"""
OpenAI's Responses API without stored state: encrypted reasoning comes back in front of what it led to.

Refused (R, K): unknown fields; a reasoning item without the item that followed it, without its encrypted
content or with that of another account; calls without results, and results without calls.
"""

from __future__ import annotations

import base64
import json
from itertools import count
from typing import Any

from tests.support.strict.chat import ID_LENGTH, NAME
from tests.support.strict.session import TITLE, Called, Json, Refused, Turn, position, turn

CALL_ID = "call_{step}{at}abcdefghijklmnopqrstuv"
FIELDS = {
    "background",
    "client_metadata",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
}
CALLS = ("function_call", "custom_tool_call")
OUTPUTS = ("function_call_output", "custom_tool_call_output")
USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 29,
}


def check(body: Json, steps: list[Json]) -> None:
    for name in body.keys() - FIELDS:
        _refuse(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    for tool in body.get("tools", ()):
        if tool["type"] in ("function", "custom") and not NAME.fullmatch(tool["name"]):
            _refuse(f"Invalid tool name {tool['name']!r}", "tools")
    items = body["input"]
    if isinstance(items, str):
        return
    thoughts = [step["thought"] for step in steps if step.get("thought")]
    open_calls: list[str] = []
    for at, item in enumerate(items):
        kind = item.get("type", "message")
        if kind == "reasoning":
            _check_reasoning(item, items[at + 1 :], thoughts)
        elif kind in CALLS:
            if not (NAME.fullmatch(item["name"]) and 0 < len(item["call_id"]) <= ID_LENGTH):
                _refuse(f"Invalid call {item['name']!r}, {item['call_id']!r}", f"input[{at}]")
            open_calls.append(item["call_id"])
        elif kind in OUTPUTS:
            if item["call_id"] not in open_calls:
                _refuse(
                    f"No tool call found for function call output with call_id {item['call_id']}.", "input"
                )
            open_calls.remove(item["call_id"])
        elif kind != "message":
            _refuse(f"Invalid value: '{kind}'.", f"input[{at}]")
    for call_id in open_calls:
        _refuse(f"No tool output found for function call {call_id}.", "input")


def _check_reasoning(item: Json, following: list[Json], thoughts: list[str]) -> None:
    if not item.get("encrypted_content"):
        _refuse(
            f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is false.",
            "input",
        )
    if item["encrypted_content"] not in map(_encrypted, thoughts):
        _refuse("The encrypted content could not be verified.", None, "invalid_encrypted_content")
    after = following[0] if following else {}
    if after.get("type", "message") not in (*CALLS, "message") or after.get("role") == "user":
        _refuse(
            f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item.",
            "input",
        )


def response(body: Json, steps: list[Json]) -> list[Any]:
    events: list[Json] = []
    shell = {"id": "resp_1", "object": "response", "created_at": 1, "model": body["model"], "error": None}
    started = {**shell, "status": "in_progress", "output": [], "usage": None}
    events += [{"type": f"response.{name}", "response": started} for name in ("created", "in_progress")]
    output = []
    numbers = count(len(body["input"]))
    for index, item in enumerate(_items(_next_turn(body, steps), numbers)):
        events += _item_events(index, item)
        output.append(item)
    completed = {**shell, "status": "completed", "output": output, "usage": USAGE}
    events.append({"type": "response.completed", "response": completed})
    return [_frame({**event, "sequence_number": number}) for number, event in enumerate(events)]


def _frame(event: Json) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def _next_turn(body: Json, steps: list[Json]) -> Turn:
    if not body.get("tools"):
        return Turn(TITLE)
    items = body["input"]
    outputs = sum(item.get("type") in OUTPUTS for item in items)
    texts = [part["text"] for item in items if item.get("role") == "assistant" for part in item["content"]]
    tools = {
        tool["name"]: tool.get("parameters", {}).get("properties", {}) if tool["type"] == "function" else None
        for tool in body["tools"]
        if tool["type"] in ("function", "custom")
    }
    number = position(steps, outputs, texts)
    return turn(steps[number], number, tools, CALL_ID)


def _items(answered: Turn, numbers: Any) -> list[Json]:
    items: list[Json] = []
    if answered.thought:
        summary = [{"type": "summary_text", "text": answered.thought}]
        encrypted = _encrypted(answered.thought)
        items.append(
            {
                "id": f"rs_{next(numbers)}",
                "type": "reasoning",
                "summary": summary,
                "encrypted_content": encrypted,
            }
        )
    if answered.text:
        part = {"type": "output_text", "text": answered.text, "annotations": [], "logprobs": []}
        message = {
            "id": f"msg_{next(numbers)}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
        }
        items.append({**message, "content": [part]})
    return [*items, *(_call(call, next(numbers)) for call in answered.calls)]


def _call(call: Called, number: int) -> Json:
    about = {"call_id": call.id, "name": call.name, "status": "completed"}
    if call.is_custom:
        return {"id": f"ctc_{number}", "type": "custom_tool_call", **about, "input": call.text}
    return {"id": f"fc_{number}", "type": "function_call", **about, "arguments": call.text}


def _item_events(index: int, item: Json) -> list[Json]:
    at = {"item_id": item["id"], "output_index": index}
    emptied = {
        name: {"content": [], "summary": [], "arguments": "", "input": ""}.get(name, value)
        for name, value in item.items()
        if name != "encrypted_content"
    }
    events = [{"type": "response.output_item.added", "output_index": index, "item": emptied}]
    if item["type"] == "reasoning":
        events += _part(
            at,
            "summary_index",
            "response.reasoning_summary_part",
            "response.reasoning_summary_text",
            item["summary"][0],
        )
    elif item["type"] == "message":
        events += _part(
            at, "content_index", "response.content_part", "response.output_text", item["content"][0]
        )
    else:
        field = "input" if "input" in item else "arguments"
        name = "response.custom_tool_call_input" if field == "input" else "response.function_call_arguments"
        events.append({"type": f"{name}.delta", **at, "delta": item[field]})
        events.append({"type": f"{name}.done", **at, field: item[field]})
    return [*events, {"type": "response.output_item.done", "output_index": index, "item": item}]


def _part(at: Json, index: str, part_name: str, text_name: str, part: Json) -> list[Json]:
    at = {**at, index: 0}
    return [
        {"type": f"{part_name}.added", **at, "part": {**part, "text": ""}},
        {"type": f"{text_name}.delta", **at, "delta": part["text"]},
        {"type": f"{text_name}.done", **at, "text": part["text"]},
        {"type": f"{part_name}.done", **at, "part": part},
    ]


def _encrypted(thought: str) -> str:
    return base64.b64encode(f"encrypted: {thought}".encode()).decode()


def _refuse(message: str, param: str | None, code: str | None = None) -> None:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    raise Refused({"error": error})
