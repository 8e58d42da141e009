"""Build the request for one account: its protocol and its body."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from app.errors import InvalidRequest
from app.translation.requests.account_requirements import native_only_field
from app.translation.requests.carried_state import is_carried
from app.translation.requests.chat_aliases import in_form_of_chat, translate_aliases
from app.translation.requests.chat_to_responses import chat_to_responses
from app.translation.requests.chatgpt_body import chatgpt_body
from app.translation.requests.content_checks import has_cache_hint, has_web_search
from app.translation.requests.dialects import Dialect
from app.translation.requests.field_support import (
    MAX_IGNORED_NAMES,
    SENT,
    TRANSLATED,
    ApiProtocol,
    ignored_fields,
    is_nameable,
    support_table,
)
from app.translation.requests.foreign_fields import OWN_KEY, without_foreign_fields
from app.translation.requests.lost_details import lost_at_chatgpt, lost_in_chat, lost_in_responses
from app.translation.requests.parts import as_list, beyond_text, text_of
from app.translation.requests.responses_to_chat import responses_to_chat

Body = dict[str, Any]


class UpstreamRequest(NamedTuple):
    """A request for an account. `protocol`: `chat` or `responses`; `ignored`: the fields without effect."""

    protocol: ApiProtocol
    body: Body
    ignored: list[str]


def upstream_body(
    client_protocol: ApiProtocol, body: Body, dialect: Dialect, protocols: Collection[str]
) -> UpstreamRequest:
    """
    Return the request for an account of *dialect* with *protocols*.

    *body* has passed the schema of *client_protocol* and, for responses, `normalize_input`.
    Upstreams always stream, report usage, and store nothing unless requested.
    Raises InvalidRequest for a field that this account cannot support.
    """
    protocol = _choose_protocol(client_protocol, body, dialect, protocols)
    chosen = {protocol}
    others = beyond_text(body["messages"]) if client_protocol == "chat" else []
    unfit = native_only_field(client_protocol, body, dialect, chosen)
    if unfit is not None:
        raise InvalidRequest(f"'{unfit}' needs an account that supports it; none is available", param=unfit)
    if protocol == client_protocol:
        known, unknown = support_table(client_protocol, dialect, chosen)
        out = {name: value for name, value in body.items() if known.get(name, unknown) is SENT}
        translated = {name: value for name, value in body.items() if known.get(name, unknown) is TRANSLATED}
        if translated and client_protocol == "chat":  # for Responses, `normalize_input` has done it
            out = translate_aliases(out, translated)
        if client_protocol == "chat":
            out = in_form_of_chat(out, others)
    else:
        out = chat_to_responses(body) if client_protocol == "chat" else _to_chat(body, dialect)
    ignored = ignored_fields(client_protocol, dialect, body, chosen)
    if protocol != client_protocol:
        lost = lost_in_responses(body) if client_protocol == "chat" else lost_in_chat(body)
        ignored += [name for name in lost if is_nameable(name)]
    if protocol == "chat" and dialect.is_strict:
        foreign: dict[str, None] = {}
        is_plain = client_protocol == "chat" and not others
        out = without_foreign_fields(out, foreign, is_plain=is_plain)
        if foreign:  # translated reasoning has fields that are not the client's
            ignored += foreign if client_protocol == "chat" else ["input.reasoning"]
    elif protocol == "responses" and any(map(is_carried, out["input"])):
        out["input"] = _without_carried_state(out["input"], retains_text=dialect.retains_reasoning_text)
        ignored.append("input.reasoning")
    if dialect.is_restricted:
        ignored += filter(is_nameable, lost_at_chatgpt(out))
    ignored = ignored[:MAX_IGNORED_NAMES]
    loses_hints = dialect.is_strict or protocol != client_protocol
    if loses_hints and "cache_control" not in ignored and has_cache_hint(others, body.get("tools")):
        ignored.append("cache_control")
    finish = _finish_chat if protocol == "chat" else _finish_responses
    return UpstreamRequest(protocol, finish(out, dialect), ignored)


def _to_chat(body: Body, dialect: Dialect) -> Body:
    return responses_to_chat(
        body, takes_custom=dialect.takes_custom_tools, length_field=dialect.chat_length_field
    )


def _choose_protocol(
    client_protocol: ApiProtocol, body: Body, dialect: Dialect, protocols: Collection[str]
) -> ApiProtocol:
    """Return the client's protocol if the account has it and it suits the request, else the other one."""
    other: ApiProtocol = "responses" if client_protocol == "chat" else "chat"
    if client_protocol not in protocols:
        return other
    if client_protocol == "chat" and other in protocols and has_web_search(body):
        return client_protocol if native_only_field(client_protocol, body, dialect, {other}) else other
    return client_protocol


def _finish_chat(body: Body, dialect: Dialect) -> Body:
    options = {**(body.get("stream_options") or {}), "include_usage": True}
    out = {**body, "stream": True, "stream_options": options}
    return out if dialect.is_strict else _without_own_fields(out)


def _without_own_fields(body: Body) -> Body:
    """Return *body* without the fields that the gateway adds to messages, which servers refuse."""
    for message in body["messages"]:
        if OWN_KEY in message:
            break
    else:
        return body
    messages = [{key: value for key, value in each.items() if key != OWN_KEY} for each in body["messages"]]
    return {**body, "messages": messages}


def _finish_responses(body: Body, dialect: Dialect) -> Body:
    out = {"store": False, **body, "stream": True}
    if dialect.is_restricted:
        out = chatgpt_body(out)
    return {**out, "input": _input_for_json_mode(out)}


def _without_carried_state(items: list[Any], *, retains_text: bool) -> list[Any]:
    """Return *items* without state of chat servers, and without its reasoning unless *retains_text*."""
    out = []
    for item in items:
        if not is_carried(item):
            out.append(item)
        elif retains_text and item.get("content"):
            out.append({key: value for key, value in item.items() if key != "encrypted_content"})
    return out


def _input_for_json_mode(body: Body) -> list[Any]:
    """
    Return the input, preceded by the instructions if JSON mode needs them.

    The API refuses `json_object` unless the input mentions JSON, and the word may be only in
    the system messages, which have become instructions.
    """
    items: list[Any] = body["input"]
    instructions = body.get("instructions") or ""
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") != "json_object" or "json" not in instructions.lower() or _mentions_json(items):
        return items
    return [{"role": "developer", "content": [{"type": "input_text", "text": instructions}]}, *items]


def _mentions_json(items: list[Any]) -> bool:
    texts = (text_of(part) for item in items for part in as_list(item.get("content")))
    return any("json" in text.lower() for text in texts if text)
