"""
Fields that a server refuses: those that its error names, and the same request without them.

A field is omitted if the gateway added or translated it. A field of the client is omitted, and reported as
ignored, if it does not change the response. The two names of chat's output length replace each other, and a
choice of allowed tools is replaced by a request with only these tools. For any other field the client
receives the refusal. State that a server misses is replaced by a placeholder, see `missing_state`.

The patterns match errors of the OpenAI API, Azure, Groq, Cerebras, Mistral, Gemini, Fireworks, vLLM and the
ChatGPT backend.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from app.translation.requests.allowed_tools import ALLOWED_TOOLS, has_allowed_tools, with_only_allowed
from app.translation.requests.field_support import ApiProtocol, has_effect
from app.translation.requests.missing_state import STATES, lacks_state, missing_state, with_placeholders
from app.translation.requests.upstream_request import UpstreamRequest

Body = dict[str, Any]

# Used in place of a field: the server refuses requests with `stream`, or those without.
STREAMED = "streaming"
UNSTREAMED = "unstreamed"
DEVELOPER = "developer"  # used in place of a field: the server accepts this role only as `system`
TWINS = {"max_completion_tokens": "max_tokens", "max_tokens": "max_completion_tokens"}


def _always(value: Any) -> bool:
    return True


# Field -> whether a value may be omitted without changing the response.
_HARMLESS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("stream_options", "metadata", "client_metadata", "user", "safety_identifier"), _always),
    **dict.fromkeys(("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"), _always),
    "parallel_tool_calls": lambda value: value is not False,
    "store": lambda value: value is not True,
    "service_tier": lambda value: value in ("auto", "default", None),
}
# Translated fields that may be omitted as well -> the client's names for them.
TRANSLATED: dict[str, tuple[str, ...]] = {
    "reasoning_effort": ("reasoning", "reasoning_effort"),
    "reasoning": ("reasoning_effort", "reasoning"),
    "verbosity": ("text", "verbosity"),
    "include": (),
}
_REFUSING = re.compile(
    r"unsupported|not supported|does not support|unknown|unrecogni[sz]ed|unexpected|extra[_ ]"
    r"|not permitted|not allowed|cannot find field|no such field|did you mean",
    re.I,
)
_NAMES = re.compile(r"[a-z][a-z_]*")
_MUST_STREAM = re.compile(
    r"non-?stream(?:ing|ed)|stream ?= ?false|\bstream(?:ing)? mode|\bstream must be (?:set to )?true"
    r"|\bonly supports? stream|\bmust (?:be )?stream|\bstream`? (?:is )?required",
    re.I,
)
# OpenAI refuses streams of some models to organisations that are not verified.
_MAY_NOT_STREAM = re.compile(
    r"verified to stream\b|\bnot (?:support|allow|permit)(?:ed)? stream(?:ing|s)?\b|\bcannot stream\b"
    r"|\bstream(?:ing)?\b['\"`]? (?:mode )?(?:is |are )?(?:not|un)[- ]?(?:support|allow|permit|avail)",
    re.I,
)
# DeepSeek: "unknown variant `developer`"; OpenAI's older models: 'messages[0].role' does not support it.
_ABOUT_ROLES = re.compile(r"\brole\b|\broles\b|\bvariant\b|\bexpected\b", re.I)
_OF_VALUES = ("unsupported_value", "invalid_value")  # error codes about a value, not about its field
STATUSES = (400, 422)
STREAMING_STATUSES = (*STATUSES, 403)


class FieldRefusal(NamedTuple):
    """The error with which a server refuses a request."""

    status: int | None
    message: str
    code: str | None
    param: str | None


def refused_fields(refusal: FieldRefusal, sent: Body) -> list[str]:
    """Return the known fields of *sent* that *refusal* names, or what it refuses in place of a field."""
    is_streamed = sent.get("stream") is True
    if is_streamed and refusal.status in STREAMING_STATUSES and _is_about_streaming(refusal):
        return [STREAMED]
    if refusal.status not in STATUSES:
        return []
    if not is_streamed and _MUST_STREAM.search(refusal.message):
        return [UNSTREAMED]
    if _is_about_developer(refusal, sent):
        return [DEVELOPER]
    if state := missing_state(refusal.message, sent):
        return [state]
    if _is_about_allowed_tools(refusal, sent):
        return [ALLOWED_TOOLS]
    if refusal.code in _OF_VALUES or not (
        _REFUSING.search(refusal.message) or refusal.code in ("unsupported_parameter", "unknown_parameter")
    ):
        return []
    named = {refusal.param} if refusal.param in sent else set(_NAMES.findall(refusal.message))
    return [field for field in sent if field in named and _is_known(field)]


def _is_about_streaming(refusal: FieldRefusal) -> bool:
    return refusal.param == "stream" or _MAY_NOT_STREAM.search(refusal.message) is not None


def _is_about_developer(refusal: FieldRefusal, sent: Body) -> bool:
    words = f"{refusal.param or ''} {refusal.message}"
    return _has_developer(sent) and "developer" in words and _ABOUT_ROLES.search(words) is not None


def _is_about_allowed_tools(refusal: FieldRefusal, sent: Body) -> bool:
    words = f"{refusal.param or ''} {refusal.message}"
    return has_allowed_tools(sent) and (ALLOWED_TOOLS in words or "tool_choice" in words)


def _has_developer(body: Body) -> bool:
    return any(message.get("role") == DEVELOPER for message in body.get("messages", ()))


def _with_system_role(messages: list[Body]) -> list[Body]:
    """Return *messages* with the role `developer` replaced by `system`, its older name."""
    return [
        {**message, "role": "system"} if message.get("role") == DEVELOPER else message for message in messages
    ]


def _is_known(field: str) -> bool:
    return field in _HARMLESS or field in TRANSLATED or field in TWINS


def without_refused(
    request: UpstreamRequest, refused: Collection[str], client_protocol: ApiProtocol, client_body: Body
) -> UpstreamRequest:
    """
    Return *request* without the fields *refused*, and with those that have to be named as ignored.

    *client_body* is the client's body, in *client_protocol*. A field that the response depends on stays.
    """
    body, ignored = dict(request.body), list(request.ignored)
    is_native = client_protocol == request.protocol
    for field in refused:
        if field == DEVELOPER and _has_developer(body):
            body["messages"] = _with_system_role(body["messages"])
        elif field == ALLOWED_TOOLS and has_allowed_tools(body):
            body = with_only_allowed(body)
        elif field in STATES and request.protocol == "chat":
            body = with_placeholders(body, field)
        if field not in body or not _may_lack(field, body[field], is_native, client_body):
            continue
        value = body.pop(field)
        if twin := TWINS.get(field):
            body.setdefault(twin, value)
            continue
        ignored += [
            name
            for name in TRANSLATED.get(field, (field,))
            if has_effect(name, client_body.get(name)) and name not in ignored
        ]
    return request._replace(body=body, ignored=ignored)


def may_lack(request: UpstreamRequest, field: str, client_protocol: ApiProtocol, client_body: Body) -> bool:
    """Return whether *request* may be sent without *field*, or with its other name."""
    if field in (STREAMED, UNSTREAMED, DEVELOPER):
        return True
    if field == ALLOWED_TOOLS:
        return has_allowed_tools(request.body)
    if field in STATES:
        return request.protocol == "chat" and lacks_state(request.body, field)
    is_native = client_protocol == request.protocol
    return field in request.body and _may_lack(field, request.body[field], is_native, client_body)


def _may_lack(field: str, value: Any, is_native: bool, client_body: Body) -> bool:
    if field in TWINS:
        return True
    if field in _HARMLESS:
        return _HARMLESS[field](value)
    is_clients_own = is_native and has_effect(field, client_body.get(field))
    return field in TRANSLATED and not is_clients_own
