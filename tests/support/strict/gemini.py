"""
Gemini's compatible endpoint (R 2025, T 2026, P 2026): signs the first call of a turn, and expects it there.

Refuses unknown names, all in one message, with an error in an array. Calls of a turn with text have empty
ids, all calls have index 0, and a stream with calls ends with `stop`.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.support.strict.chat import DONE, assistants, chunk, next_turn, order_fault, shape_fault
from tests.support.strict.session import Json, Refused

FIELDS = {
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "n",
    "stop",
    "response_format",
    "reasoning_effort",
}
ANY = {"google": {"thought_signature": "skip_thought_signature_validator"}}  # documented for calls of others
USAGE = {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}


def check(body: Json, steps: list[Json]) -> None:
    unknown = sorted(body.keys() - FIELDS)
    if unknown:
        _refuse(
            "\n".join(
                f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
                for name in unknown
            )
        )
    fault = shape_fault(body) or order_fault(body["messages"]) or _signature_fault(body["messages"])
    if fault:
        _refuse(fault)


def _signature_fault(messages: list[Json]) -> str | None:
    for at, message in enumerate(assistants(messages)):
        for place, call in enumerate(message.get("tool_calls") or ()):
            function, given = call["function"], call.get("extra_content")
            expected = signature(function["name"], function["arguments"]) if place == 0 else None
            if given == expected or (place == 0 and given == ANY):
                continue
            if given is None:
                return (
                    "Function call is missing a thought_signature in functionCall parts. Additional data,"
                    f" function call `default_api:{function['name']}` , position {at}."
                )
            return f"Thought signature is not valid, position {at}."
    return None


def signature(name: str, arguments: str) -> Json:
    """Return the signature of a call: of its meaning, since agents may write its JSON anew."""
    canonical = json.dumps([name, json.loads(arguments)], sort_keys=True)
    return {"google": {"thought_signature": base64.b64encode(canonical.encode()).decode()}}


def response(body: Json, steps: list[Json]) -> list[Any]:
    turn = next_turn(body, steps, "f{step}{at}wxyz")
    name = {"id": "q1", "model": f"models/{body['model']}"}
    frames: list[Any] = []
    if turn.text:
        frames.append(chunk({"role": "assistant", "content": turn.text}, **name))
    for at, call in enumerate(turn.calls):
        written: Json = {"index": 0, "id": "" if turn.text else call.id, "type": "function"}
        written["function"] = {"name": call.name, "arguments": call.text}
        if at == 0:
            written["extra_content"] = signature(call.name, call.text)
        frames.append(chunk({"role": "assistant", "tool_calls": [written]}, **name))
    frames[-1]["choices"][0]["finish_reason"] = "stop"
    frames[-1]["usage"] = USAGE
    return [*frames, DONE]


def _refuse(message: str) -> None:
    violation = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"description": message}],
    }
    error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": [violation]}
    raise Refused([{"error": error}])
