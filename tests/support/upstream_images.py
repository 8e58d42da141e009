"""
The image tool of the ChatGPT backend, as its stream shows it.

The final response has no output; the image is in the item that was done. Keys of a play, all optional:

    result          the image, in Base64
    partials        partial images before it
    item            in place of members of the tool's item; None: the tool is not called
    text            what the model writes, before the tool's call if there is one
    usage           of the model; None: not reported
    tool_usage      of the tool; None: not reported
    end             type of the last event
    response        members of the final response
    cut             number of events after which the stream ends
    gate            a gate, behind *gate_after* events

Source: https://platform.openai.com/docs/guides/tools-image-generation
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

IMAGE = "aW1hZ2U="
USAGE = {
    "input_tokens": 2300,
    "input_tokens_details": {"cached_tokens": 1024},
    "output_tokens": 40,
    "output_tokens_details": {"reasoning_tokens": 25},
    "total_tokens": 2340,
}
TOOL_USAGE = {
    "input_tokens": 60,
    "input_tokens_details": {"image_tokens": 20, "text_tokens": 40},
    "output_tokens": 1056,
    "output_tokens_details": {"image_tokens": 1056, "text_tokens": 0},
    "total_tokens": 1116,
}
PRODUCED = {"background": "opaque", "output_format": "png", "quality": "medium", "size": "1024x1024"}
CREATED_AT = 1_790_000_000


def tool_fault(body: Json) -> str | None:
    """Return what is wrong with the tools of *body*, None if it calls the image tool as it has to."""
    tools = body.get("tools") or []
    if [tool.get("type") for tool in tools] != ["image_generation"]:
        return "Tool choice 'image_generation' not found in 'tools' parameter."
    if body.get("tool_choice") != {"type": "image_generation"}:
        return "Unsupported tool choice"
    return None


def image_events(play: Json, body: Json) -> list[Json]:
    """Return the payloads of one response that produces an image, or fails to, as *play* says."""
    response: Json = {
        "id": "resp_1",
        "object": "response",
        "created_at": CREATED_AT,
        "status": "in_progress",
        "model": body.get("model"),
        "output": [],
        "tools": body.get("tools"),
        "usage": None,
    }
    events = [
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": response},
        *_reasoning(),
    ]
    if play.get("text"):
        events += _message(play["text"], 1)
    if play.get("item", {}) is not None:
        events += _call(play, 2)
    final = {**response, "status": "completed", "usage": play.get("usage", USAGE)}
    if (tool_usage := play.get("tool_usage", TOOL_USAGE)) is not None:
        final["tool_usage"] = {"image_gen": tool_usage, "web_search": {"num_requests": 0}}
    events.append(
        {"type": play.get("end", "response.completed"), "response": {**final, **play.get("response", {})}}
    )
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    return numbered[: play.get("cut")]


def _reasoning() -> list[Json]:
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "secret"}
    return [
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    ]


def _message(text: str, index: int) -> list[Json]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    place = {"output_index": index, "item_id": "msg_1", "content_index": 0}
    return [
        {
            "type": "response.output_item.added",
            "output_index": index,
            "item": {**item, "content": [], "status": "in_progress"},
        },
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": text},
        {"type": "response.output_text.done", **place, "text": text},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _call(play: Json, index: int) -> list[Json]:
    begun = {"id": "ig_1", "type": "image_generation_call", "status": "in_progress"}
    place = {"output_index": index, "item_id": "ig_1"}
    done = {
        **begun,
        "status": "generating",  # as the backend sends it with a finished image
        "action": "generate",
        **PRODUCED,
        "revised_prompt": "A red cat",
        "result": play.get("result", IMAGE),
        **play.get("item", {}),
    }
    partials = [
        {
            "type": "response.image_generation_call.partial_image",
            **place,
            "partial_image_index": number,
            "partial_image_b64": partial,
            **PRODUCED,
        }
        for number, partial in enumerate(play.get("partials", []))
    ]
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        {"type": "response.image_generation_call.in_progress", **place},
        {"type": "response.image_generation_call.generating", **place},
        *partials,
        {"type": "response.output_item.done", "output_index": index, "item": done},
    ]
