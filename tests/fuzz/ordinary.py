"""An ordinary client's requests and a correct upstream's responses: cases are made by changing these."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

PRICED = ("gpt-4o", "gpt-5.2")
INPUT_TOKENS, OUTPUT_TOKENS = 5, 2  # fewer than the bytes of any prompt here, as with a real tokenizer
LENGTH = 40  # of a response, in tokens: what a request allows, and what hidden reasoning may use up
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
IMAGE = "data:image/png;base64,iVBORw0KGgo="
CHAT_TOOL = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS, "strict": True}}
TOOL = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": True}
CALLED = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
SHAPE = {"name": "answer", "schema": PARAMETERS, "strict": True}
USER = {"role": "user", "content": "Hello there"}
CHATS: tuple[Json, ...] = (
    {"model": "m", "messages": [USER], "max_tokens": LENGTH},
    {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be short."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
                    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                ],
            },
            {"role": "assistant", "content": None, "tool_calls": [CALLED]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
        ],
        "tools": [CHAT_TOOL],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "stop": ["end"],
        "n": 1,
        "seed": 7,
        "temperature": 0.5,
        "stream_options": {"include_usage": True},
        "response_format": {"type": "json_schema", "json_schema": SHAPE},
        "max_completion_tokens": LENGTH,
        "metadata": {"a": "b"},
        "reasoning_effort": "low",
        "service_tier": "default",
        "fallbacks": ["m2"],
    },
)
RESPONSES: tuple[Json, ...] = (
    {"model": "m", "input": "Hello there", "max_output_tokens": LENGTH},
    {
        "model": "m",
        "instructions": "Be short.",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": IMAGE, "detail": "low"},
                    {
                        "type": "input_file",
                        "filename": "a.pdf",
                        "file_data": "data:application/pdf;base64,JVBERg==",
                    },
                ],
            },
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]},
            {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Rome"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "Sunny"},
            {
                "role": "assistant",
                "content": [{"type": "output_text", "text": "It is sunny.", "annotations": []}],
            },
        ],
        "tools": [
            TOOL,
            {"type": "web_search"},
            {"type": "custom", "name": "run", "format": {"type": "text"}},
        ],
        "tool_choice": "auto",
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_schema", **SHAPE}, "verbosity": "low"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "prompt_cache_key": "c1",
        "max_output_tokens": LENGTH,
        "metadata": {"a": "b"},
        "temperature": 0.5,
        "top_logprobs": 2,
    },
)
ORDINARY: dict[str, tuple[Json, ...]] = {  # by how the address ends
    "chat/completions": CHATS,
    "responses": RESPONSES,
    "responses/compact": ({"model": "m", "input": "Hello there"},),
    "v1/completions": ({"model": "m", "prompt": "Hello there", "max_tokens": LENGTH},),
    "embeddings": ({"model": "m", "input": ["Hello there"]},),
    "moderations": ({"model": "m", "input": "Hello there"},),
    "audio/speech": ({"model": "m", "input": "Hello there", "voice": "alloy"},),
    "images/generations": ({"model": "m", "prompt": "Hello there", "n": 1},),
    "": ({"model": "m", "input": "Hello there"},),
}

CHAT_USAGE = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    "prompt_tokens_details": {"cached_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
USAGE = {
    "input_tokens": INPUT_TOKENS,
    "output_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    "input_tokens_details": {"cached_tokens": 1},
    "output_tokens_details": {"reasoning_tokens": 1},
}
BILL = {"input_tokens": INPUT_TOKENS, "cached_tokens": 1, "output_tokens": OUTPUT_TOKENS}
INPUT_BILL = {"input_tokens": INPUT_TOKENS}  # of vectors and moderations
LARGE_BILL = {
    **BILL,
    "input_tokens": 11,
    "output_tokens": LENGTH,
}  # with hidden reasoning, up to all that may be
CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
MESSAGE = {"role": "assistant", "content": "Hi you"}
CHAT_UNSTREAMED: Json = {
    **{**CHUNK, "object": "chat.completion"},
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop", "logprobs": None}],
    "usage": CHAT_USAGE,
}


def _chunk(delta: Json, finish: str | None = None) -> Json:
    return {**CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


CHAT_EVENTS: list[Any] = [
    _chunk({"role": "assistant", "content": ""}),
    _chunk({"content": "Hi "}),
    _chunk({"content": "you"}),
    _chunk({}, "stop"),
    {**CHUNK, "choices": [], "usage": CHAT_USAGE},
    "[DONE]",
]
PART = {"type": "output_text", "text": "Hi you", "annotations": []}
ITEM = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [PART]}
BEGUN = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "in_progress",
    "model": "m",
    "output": [],
}
COMPLETE: Json = {**BEGUN, "status": "completed", "output": [ITEM], "usage": USAGE, "error": None}
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
EVENTS: list[Any] = [
    {"type": "response.created", "response": BEGUN},
    {"type": "response.in_progress", "response": BEGUN},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**ITEM, "status": "in_progress", "content": []},
    },
    {"type": "response.content_part.added", **PLACE, "part": {**PART, "text": ""}},
    {"type": "response.output_text.delta", **PLACE, "delta": "Hi "},
    {"type": "response.output_text.delta", **PLACE, "delta": "you"},
    {"type": "response.output_text.done", **PLACE, "text": "Hi you"},
    {"type": "response.content_part.done", **PLACE, "part": PART},
    {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
    {"type": "response.completed", "response": COMPLETE},
]
for number, event in enumerate(EVENTS):
    event["sequence_number"] = number
OTHER: Json = {
    "object": "list",
    "data": [],
    "usage": {"prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS},
}
SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}


def frame(event: Any) -> str:
    """Return *event* as one SSE message; a text is data as it is."""
    if isinstance(event, str):
        return f"data: {event}\n\n"
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n"


def streamed(events: list[Any]) -> Json:
    """Return the play of *events*; the bill comes with the first."""
    steps: list[Json] = [{"send": frame(event)} for event in events]
    steps[0]["bill"] = BILL
    return {"status": 200, "headers": SSE, "steps": steps}


def complete(body: Json) -> Json:
    bill = BILL if body is not OTHER else INPUT_BILL
    return {
        "status": 200,
        "headers": JSON,
        "framing": "length",
        "steps": [{"send": json.dumps(body), "bill": bill}],
    }


HONEST: Json = {
    "play": "fitting",
    "plays": {
        "chat": {"whole": complete(CHAT_UNSTREAMED), "streamed": streamed(CHAT_EVENTS)},
        "responses": {"whole": complete(COMPLETE), "streamed": streamed(EVENTS)},
        "": {"whole": complete(OTHER), "streamed": complete(OTHER)},
    },
}
