"""
Find the parts of a request that refer to input outside the request, so that its size is no bound: one table.

A part, item or tool counts as text only if it has no other than known members, whatever its type is, because
servers check different members first. Numbers and flags refer to nothing. Input that is referred to once is
bounded by the model's maximum input. Input that an upstream adds by a tool that it runs, or by a search, is
sent with each of its calls of the model and has no bound. The same holds for everything that makes it call
the model more than once: agents, compaction, modes that try several responses.

Source: https://platform.openai.com/docs/api-reference/responses/create (items, tools, `prompt`),
https://platform.openai.com/docs/api-reference/chat/create (`audio` of an assistant message),
https://docs.x.ai/docs/guides/live-search (`search_parameters`),
https://openrouter.ai/docs/features/web-search (`:online`), https://help.aliyun.com (`enable_search`)
and https://learn.microsoft.com/azure/ai-foundry/openai/references/on-your-data (`data_sources`)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from app.translation.requests.chat_tool_names import CLIENT_TOOLS
from app.translation.requests.input_items import added_tools
from app.translation.requests.parts import as_list

# Fields of a body by which the upstream adds to the input what it has stored: earlier items, or files.
STORED = ("conversation", "previous_response_id", "file_ids", "files", "attachments")
# Fields of a body by which the upstream may repeatedly add its own input. In a passed-through body, `prompt`
# is text.
ADDING = (
    "web_search_options",
    "search_parameters",
    "data_sources",
    "enable_search",
    "web_search",
    "mcp_servers",
    "multi_agent",
    "context_management",
)
ADDING_SETTING = ("reasoning", "mode")  # a settings object, and its member that may do so
ONE_CALL = (None, "", "standard", "default")  # values of that member with which the model is called once
# Parts of the names of models that search.
ADDING_MODELS = (":online", "-search-preview", "-search-api", "-deep-research")
# A field with which an upstream may produce more output than the length in the request.
EXTENDING = "background"
TEMPLATE = "prompt"  # a prompt stored at the upstream, which may have its own tools
# Fields of a passed-through body whose content is not in it, or is not text.
PASSED_CONTENT = (
    *("image", "images", "image_url", "image_urls", "mask", "audio", "video", "file", "files"),
    *("file_id", "file_ids", "messages", "prompt_embeds", "documents"),
)

TEXT_PARTS = ("text", "input_text", "output_text", "refusal", "reasoning_text", "summary_text")
IMAGE_PARTS = ("image_url", "input_image")
TEXT_ITEMS = (
    *(None, "message", "reasoning", "compaction", "function_call", "function_call_output"),
    *("custom_tool_call", "custom_tool_call_output", "local_shell_call", "local_shell_call_output"),
)

_NOTES = ("type", "id", "index", "status", "phase", "cache_control", "prompt_cache_breakpoint", "metadata")
TEXT_KEYS = frozenset(
    (
        *_NOTES,
        *("text", "refusal", "annotations", "logprobs", "citations", "signature", "thought_signature"),
        *("providerOptions", "providerMetadata", "provider_options", "provider_specific_fields"),
    )
)
IMAGE_KEYS = frozenset((*_NOTES, "image_url", "detail", "file_id"))
ITEM_KEYS = frozenset(
    (
        *_NOTES,
        *("role", "content", "name", "tool_calls", "tool_call_id", "refusal", "function_call", "annotations"),
        *("reasoning", "reasoning_content", "reasoning_details", "thinking", "thinking_blocks", "signature"),
        *("summary", "encrypted_content", "call_id", "arguments", "namespace", "input", "output", "action"),
        *("created_at", "createdAt", "timestamp", "model", "usage", "finish_reason", "stop_reason", "object"),
        *("created_by", "end_turn", "recipient", "channel", "citations", "logprobs", "provider"),
        *("providerOptions", "providerMetadata", "provider_options", "provider_specific_fields"),
    )
)
TOOL_KEYS = frozenset(
    (
        *("type", "function", "custom", "name", "description", "parameters", "strict", "format", "tools"),
        *("cache_control", "defer_loading", "input_schema", "output_schema", "input_examples", "title"),
        *("allowed_callers", "annotations", "metadata", "providerOptions", "providerMetadata"),
    )
)


_SEARCHES = re.compile("|".join(ADDING_MODELS), re.IGNORECASE)
_ADDING = frozenset((*ADDING, TEMPLATE))
_STORED = frozenset(STORED)
_REFERRING = frozenset((*ADDING, *PASSED_CONTENT))


def refers(holder: Mapping[str, Any], known: Collection[str]) -> bool:
    """Return whether *holder* has a member other than those *known* that may refer to further input."""
    return any(
        name not in known and (type(value) is dict or (type(value) in (str, list) and bool(value)))
        for name, value in holder.items()
    )


def is_text_item(item: Any) -> bool:
    """Return whether *item*, a message or an input item, has no content outside its parts."""
    if not isinstance(item, dict) or item.get("type") not in TEXT_ITEMS:
        return False
    return item.keys() <= ITEM_KEYS or not refers(item, ITEM_KEYS)


def is_text_part(part: dict[str, Any]) -> bool:
    kind = part.get("type")
    if kind not in TEXT_PARTS and (kind is not None or "text" not in part):
        return False
    return part.keys() <= TEXT_KEYS or not refers(part, TEXT_KEYS)


def is_image_part(part: dict[str, Any]) -> bool:
    return part.get("type") in IMAGE_PARTS and not refers(part, IMAGE_KEYS)


def adding_field(body: Mapping[str, Any], items: list[Any], *, has_other_items: bool) -> str | None:
    """
    Return the field by which the upstream may add input without bound, None without one.

    *has_other_items*: whether *items*, the messages or input items, are not all text items.
    """
    if not _ADDING.isdisjoint(body):
        for name in (*ADDING, TEMPLATE):
            if body.get(name):
                return name
    if (setting := _adding_setting(body)) is not None:
        return setting
    if not all(map(_is_run_by_client, body.get("tools") or ())):
        return "tools"
    if has_other_items and not all(map(_is_run_by_client, added_tools(items))):
        return "input"
    return None


def _adding_setting(body: Mapping[str, Any]) -> str | None:
    """Return the field whose value makes the upstream call the model repeatedly; None without one."""
    model = body.get("model")
    if type(model) is str and _SEARCHES.search(model) is not None:
        return "model"
    name, member = ADDING_SETTING
    settings = body.get(name)
    return name if isinstance(settings, dict) and settings.get(member) not in ONE_CALL else None


def searches(model: str) -> bool:
    """Return whether *model* searches, as its name shows: it adds to its own input."""
    return _SEARCHES.search(model) is not None


def stored_field(body: Mapping[str, Any]) -> str | None:
    """Return the field by which the upstream adds input that it has stored, None without one."""
    return None if _STORED.isdisjoint(body) else next(filter(body.get, STORED), None)


def _is_run_by_client(tool: Any) -> bool:
    """Return whether the client runs *tool*, not the upstream."""
    if not isinstance(tool, dict) or (not tool.keys() <= TOOL_KEYS and refers(tool, TOOL_KEYS)):
        return False
    kind = tool.get("type")
    if kind == "namespace":
        return all(map(_is_run_by_client, as_list(tool.get("tools"))))
    if "tools" in tool:
        return False
    return kind in CLIENT_TOOLS or (
        kind is None and ("name" in tool or isinstance(tool.get("function"), dict))
    )


def passed_adding(body: Mapping[str, Any]) -> str:
    """Return the field by which the upstream may add input to a passed-through *body*, or ""."""
    if not _REFERRING.isdisjoint(body):
        for name in ADDING:
            if body.get(name):
                return name
    return _adding_setting(body) or ""


def passed_reference(body: Mapping[str, Any]) -> str:
    """Return the field of a passed-through *body* whose content is not in it as text or tokens, or ""."""
    if not _REFERRING.isdisjoint(body):
        for name in PASSED_CONTENT:
            if body.get(name):
                return name
    return next((name for name in ("input", "prompt") if not _is_text_or_tokens(body.get(name))), "")


def _is_text_or_tokens(value: Any) -> bool:
    if type(value) is not list:
        return type(value) is not dict
    types = set(map(type, value))
    if list in types:
        return types == {list} and all(set(map(type, tokens)) <= {int} for tokens in value)
    return types <= {str, int}
