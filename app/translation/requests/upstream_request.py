"""What one account is sent for a request: on which wire, and with which fields."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from app.errors import InvalidRequest
from app.translation.requests.chat_aliases import in_chat_words
from app.translation.requests.chat_to_responses import chat_to_responses
from app.translation.requests.chatgpt_body import chatgpt_body
from app.translation.requests.content_checks import hints_caching, searches_the_web
from app.translation.requests.field_support import SENT, TRANSLATED, Surface, fates_of, ignored, needs_native
from app.translation.requests.parts import as_list, text_of
from app.translation.requests.responses_to_chat import responses_to_chat

Body = dict[str, Any]

THOUGHTS = frozenset({"reasoning", "reasoning_content", "reasoning_details"})  # told beside an answer
CHUNK_KEYS = ("index",)  # of a call, which clients who join chunks leave in it


class UpstreamRequest(NamedTuple):
    """`wire` is `chat` or `responses`; `ignored` names the fields without effect there."""

    wire: Surface
    body: Body
    ignored: list[str]


def upstream_body(surface: Surface, body: Body, kind: str, wires: Collection[str]) -> UpstreamRequest:
    """
    Return the request to send to an account of *kind* that speaks *wires*.

    *body* is what the schema of *surface* let in, for responses after `normal_input`.
    Upstreams always stream, tell their usage, and store nothing that was not asked for.
    Raises InvalidRequest for what this account cannot be asked.
    """
    wire = _wire(surface, body, kind, wires)
    spoken = {wire}
    unfit = needs_native(surface, body, kind, spoken)
    if unfit is not None:
        raise InvalidRequest(f"'{unfit}' asks for what no available account can do", param=unfit)
    if wire == surface:
        known, unknown = fates_of(surface, kind, spoken)
        out = {name: value for name, value in body.items() if known.get(name, unknown) is SENT}
        translated = {name: value for name, value in body.items() if known.get(name, unknown) is TRANSLATED}
        if translated and surface == "chat":  # of a Responses request `normal_input` has done it
            out = in_chat_words(out, translated)
    else:
        out = chat_to_responses(body) if surface == "chat" else responses_to_chat(body)
    finish = _chat if wire == "chat" else _responses
    lost = ignored(surface, kind, body, spoken)
    if hints_caching(body) and "cache_control" not in lost and (wire != surface or kind == "openai"):
        lost.append("cache_control")
    return UpstreamRequest(wire, finish(out, kind), lost)


def _wire(surface: Surface, body: Body, kind: str, wires: Collection[str]) -> Surface:
    """Return the caller's own wire where the account speaks it and the request fits it."""
    other: Surface = "responses" if surface == "chat" else "chat"
    if surface not in wires:
        return other
    if surface == "chat" and other in wires and searches_the_web(body):
        return surface if needs_native(surface, body, kind, {other}) else other
    return surface


def _chat(body: Body, kind: str) -> Body:
    options = {**(body.get("stream_options") or {}), "include_usage": True}
    out = {**body, "stream": True, "stream_options": options}
    return _as_openai_says(out) if kind == "openai" else out


def _as_openai_says(body: Body) -> Body:
    """Return *body* without what other services' answers and hints left in it, which the API refuses."""
    tools = {"tools": _unmarked(body["tools"])} if body.get("tools") else {}
    return {**body, "messages": [_as_openai_told(message) for message in body["messages"]], **tools}


def _as_openai_told(message: Body) -> Body:
    changed: Body = {}
    if isinstance(content := message.get("content"), list):
        changed["content"] = _unmarked(content)
    if isinstance(calls := message.get("tool_calls"), list):
        changed["tool_calls"] = [
            _without(call, CHUNK_KEYS) if isinstance(call, dict) else call for call in calls
        ]
    if not changed and THOUGHTS.isdisjoint(message):
        return message
    return _without(message, THOUGHTS) | changed


def _without(one: Body, keys: Collection[str]) -> Body:
    return {key: value for key, value in one.items() if key not in keys}


def _unmarked(marked: list[Any]) -> list[Any]:
    return [
        {key: value for key, value in one.items() if key != "cache_control"}
        if isinstance(one, dict) and "cache_control" in one
        else one
        for one in marked
    ]


def _responses(body: Body, kind: str) -> Body:
    out = {"store": False, **body, "input": _with_json_said(body), "stream": True}
    return chatgpt_body(out) if kind == "chatgpt" else out


def _with_json_said(body: Body) -> list[Any]:
    """
    Return the input, with the instructions put in front where JSON mode needs them.

    The API refuses `json_object` unless the input itself speaks of JSON, and the word may
    be in the system messages, which have become instructions.
    """
    items: list[Any] = body["input"]
    instructions = body.get("instructions") or ""
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") != "json_object" or "json" not in instructions.lower() or _says_json(items):
        return items
    return [{"role": "developer", "content": [{"type": "input_text", "text": instructions}]}, *items]


def _says_json(items: list[Any]) -> bool:
    texts = (text_of(part) for item in items for part in as_list(item.get("content")))
    return any("json" in text.lower() for text in texts if text)
