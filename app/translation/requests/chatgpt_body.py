"""
Adapt a Responses request to the ChatGPT backend.

The backend answers 400 to unknown fields, requires `instructions` even if empty, and stores
nothing: `store` is always false.
"""

from __future__ import annotations

from typing import Any, cast

from app.translation.types.responses import ContentPart, ResponsesItem

Body = dict[str, Any]

CHATGPT_FIELDS = (
    "model",
    "instructions",
    "input",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "include",
    "prompt_cache_key",
    "service_tier",
    "stream_options",
    "client_metadata",
    "conversation",
)


def chatgpt_body(body: Body) -> Body:
    """Return the Responses request *body* with only the fields the backend accepts, and those it requires."""
    out = {name: body[name] for name in CHATGPT_FIELDS if body.get(name) is not None}
    out.setdefault("instructions", "")
    out["input"] = [_plain_item(item) for item in body["input"]]
    if out.get("service_tier") == "fast":
        out["service_tier"] = "priority"
    obfuscation = out.pop("stream_options", {}).get("include_obfuscation")
    if obfuscation is not None:
        out["stream_options"] = {"include_obfuscation": obfuscation}
    return {**out, "store": False, "stream": True}


def _plain_item(item: ResponsesItem) -> ResponsesItem:
    """Return a message without refusal parts and cache hints; other items unchanged."""
    content = item.get("content")
    if not isinstance(content, list) or not any(_needs_change(part) for part in content):
        return item
    return {**item, "content": [_plain_part(part) if _needs_change(part) else part for part in content]}


def _needs_change(part: Any) -> bool:
    return isinstance(part, dict) and (part.get("type") == "refusal" or "prompt_cache_breakpoint" in part)


def _plain_part(part: ContentPart) -> ContentPart:
    if part.get("type") == "refusal":
        return {"type": "output_text", "text": part.get("refusal", "")}
    return cast(ContentPart, {key: value for key, value in part.items() if key != "prompt_cache_breakpoint"})
