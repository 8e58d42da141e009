"""
Adapt a Responses request to the ChatGPT backend.

The backend answers 400 to unknown fields and to `system` messages, requires `instructions` even
if empty, and stores nothing: `store` is always false. So the text of the system and developer
messages at the start of the input becomes instructions, and later system messages are sent, in
place, as developer messages.
"""

from __future__ import annotations

from typing import Any, cast

from app.openai_types.responses import ContentPart, ResponsesItem
from app.translation.requests.parts import as_list, text_of

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
LEADING_ROLES = ("system", "developer")
TOOL_LISTS = ("additional_tools",)  # items that may precede or follow those messages


def chatgpt_body(body: Body) -> Body:
    """Return the Responses request *body* with only the fields the backend accepts, and those it requires."""
    out = {name: body[name] for name in CHATGPT_FIELDS if body.get(name) is not None}
    texts, items = _split_leading(body["input"])
    given = out.get("instructions")
    out["instructions"] = "\n".join([given, *texts] if given else texts)
    out["input"] = [_plain_item(item) for item in items]
    if out.get("service_tier") == "fast":
        out["service_tier"] = "priority"
    obfuscation = out.pop("stream_options", {}).get("include_obfuscation")
    if obfuscation is not None:
        out["stream_options"] = {"include_obfuscation": obfuscation}
    return {**out, "store": False, "stream": True}


def _split_leading(items: list[ResponsesItem]) -> tuple[list[str], list[ResponsesItem]]:
    """Return (the texts of the system and developer messages at the start, the other items)."""
    texts: list[str] = []
    rest: list[ResponsesItem] = []
    for index, item in enumerate(items):
        found = _leading_texts(item)
        if found is not None:
            texts += found
        elif item.get("type") in TOOL_LISTS:
            rest.append(item)
        else:
            return texts, [*rest, *items[index:]]
    return texts, rest


def _leading_texts(item: ResponsesItem) -> list[str] | None:
    """Return the texts of a system or developer message that has nothing else, None for any other item."""
    if item.get("role") not in LEADING_ROLES or item.get("type", "message") != "message":
        return None
    texts = [text_of(part) for part in as_list(item.get("content"))]
    return None if None in texts else [text for text in texts if text]


def _plain_item(item: ResponsesItem) -> ResponsesItem:
    """Return a message without its role `system`, refusal parts and cache hints; other items unchanged."""
    if item.get("role") == "system":
        item = {**item, "role": "developer"}
    if _has_odd_part(item.get("content")):
        item = {**item, "content": _plain_parts(item["content"])}
    if _has_odd_part(item.get("output")):
        item = {**item, "output": _plain_parts(item["output"])}
    return item


def _has_odd_part(parts: Any) -> bool:
    return isinstance(parts, list) and any(_needs_change(part) for part in parts)


def _plain_parts(parts: Any) -> list[Any]:
    return [_plain_part(part) if _needs_change(part) else part for part in parts]


def _needs_change(part: Any) -> bool:
    return isinstance(part, dict) and (part.get("type") == "refusal" or "prompt_cache_breakpoint" in part)


def _plain_part(part: ContentPart) -> ContentPart:
    if part.get("type") == "refusal":
        return {"type": "output_text", "text": part.get("refusal", "")}
    return cast(ContentPart, {key: value for key, value in part.items() if key != "prompt_cache_breakpoint"})
