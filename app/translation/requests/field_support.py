"""
The support of every request field, by kind and protocol of the account, as one table.

A row has a field's support in three cases:
- native: the account has the client's protocol, and supports what such servers usually support;
- translated: it has the other protocol, so the request is translated;
- chatgpt: it is a ChatGPT sign-in, whose backend accepts the fields of `CHATGPT_FIELDS`;
and, where that differs from the first, in a fourth: openai, the OpenAI API itself.

A field without a row is sent unchanged to accounts of the first case, and to no other.
Source: https://platform.openai.com/docs/api-reference/chat/create and
https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Any, NamedTuple

from app.translation.requests.dialects import DIALECTS, Dialect
from app.translation.requests.reasoning_and_format import REASONING_FIELDS, THINKING_SWITCHES, turns_off

Body = dict[str, Any]
ApiProtocol = str  # "chat" or "responses"


class Support(Enum):
    """How a field is handled for an account."""

    SENT = "sent unchanged"
    TRANSLATED = "translated to the other protocol"
    HONOURED = "implemented by the gateway"
    IGNORED = "accepted without effect; a response header lists it"
    NATIVE = "changes the response: needs an account that supports it"
    REFUSED = "supported by no account"


class FieldSupport(NamedTuple):
    native: Support
    translated: Support
    chatgpt: Support
    openai: Support | None = None


SENT, TRANSLATED, HONOURED = Support.SENT, Support.TRANSLATED, Support.HONOURED
IGNORED, NATIVE, REFUSED = Support.IGNORED, Support.NATIVE, Support.REFUSED

IN_BOTH = FieldSupport(SENT, TRANSLATED, TRANSLATED)  # both protocols have it
NO_COUNTERPART = FieldSupport(SENT, IGNORED, IGNORED)  # the other protocol lacks it
NOT_CHATGPT = FieldSupport(SENT, TRANSLATED, IGNORED)  # the ChatGPT backend answers 400 to it
SAME_FOR_CHATGPT = FieldSupport(SENT, TRANSLATED, SENT)
BY_GATEWAY = FieldSupport(HONOURED, HONOURED, HONOURED)
FORBIDDEN = FieldSupport(REFUSED, REFUSED, REFUSED)
NATIVE_ONLY = FieldSupport(SENT, NATIVE, NATIVE)
ALIAS = FieldSupport(TRANSLATED, TRANSLATED, TRANSLATED)  # a client's name; neither protocol has it
RESPONSES_ONLY = FieldSupport(IGNORED, TRANSLATED, TRANSLATED)  # a Responses field that chat lacks
COMMON_ALIAS = FieldSupport(
    SENT, TRANSLATED, TRANSLATED, openai=TRANSLATED
)  # many servers know it, OpenAI's does not

CHAT: dict[str, FieldSupport] = {
    "model": IN_BOTH,
    "messages": IN_BOTH,
    "tools": IN_BOTH,
    "tool_choice": IN_BOTH,
    "parallel_tool_calls": IN_BOTH,
    "functions": IN_BOTH,
    "function_call": IN_BOTH,
    "stream": IN_BOTH,
    "stream_options": IN_BOTH,
    "temperature": NOT_CHATGPT,
    "top_p": NOT_CHATGPT,
    "max_completion_tokens": FieldSupport(SENT, TRANSLATED, HONOURED),
    "max_tokens": FieldSupport(SENT, TRANSLATED, HONOURED),
    "n": NATIVE_ONLY,
    "stop": FieldSupport(SENT, HONOURED, HONOURED),
    "presence_penalty": NO_COUNTERPART,
    "frequency_penalty": NO_COUNTERPART,
    "logit_bias": NO_COUNTERPART,
    "logprobs": FieldSupport(SENT, TRANSLATED, NATIVE),
    "top_logprobs": FieldSupport(SENT, TRANSLATED, NATIVE),
    "seed": NO_COUNTERPART,
    "response_format": IN_BOTH,
    "reasoning_effort": IN_BOTH,
    "verbosity": IN_BOTH,
    "modalities": NATIVE_ONLY,
    "audio": NATIVE_ONLY,
    "prediction": NO_COUNTERPART,
    "web_search_options": IN_BOTH,
    "metadata": NOT_CHATGPT,
    "store": NO_COUNTERPART,
    "service_tier": IN_BOTH,
    "prompt_cache_key": IN_BOTH,
    "prompt_cache_options": NOT_CHATGPT,
    "prompt_cache_retention": NOT_CHATGPT,
    "safety_identifier": NOT_CHATGPT,
    "user": NOT_CHATGPT,
    "moderation": FieldSupport(SENT, TRANSLATED, NATIVE),
    # Responses fields that some clients send to chat
    "client_metadata": RESPONSES_ONLY,
    "instructions": ALIAS,
    "include": RESPONSES_ONLY,
    "text": ALIAS,
    # names of other gateways and editors for reasoning
    "reasoning": COMMON_ALIAS,
    "reasoningEffort": ALIAS,
    "reasoningSummary": RESPONSES_ONLY,
    "textVerbosity": ALIAS,
    "thinking": COMMON_ALIAS,
    "enable_thinking": COMMON_ALIAS,
    "promptCacheKey": ALIAS,
    # fields of other gateways
    "cache_control": FieldSupport(SENT, IGNORED, IGNORED, openai=IGNORED),
    "fallbacks": BY_GATEWAY,
}

RESPONSES: dict[str, FieldSupport] = {
    "model": SAME_FOR_CHATGPT,
    "input": SAME_FOR_CHATGPT,
    "messages": ALIAS,
    "instructions": SAME_FOR_CHATGPT,
    "previous_response_id": FORBIDDEN,
    "conversation": FieldSupport(SENT, NATIVE, SENT),
    "store": SAME_FOR_CHATGPT,
    "stream": SAME_FOR_CHATGPT,
    "stream_options": SAME_FOR_CHATGPT,
    "tools": SAME_FOR_CHATGPT,
    "tool_choice": SAME_FOR_CHATGPT,
    "parallel_tool_calls": SAME_FOR_CHATGPT,
    "max_tool_calls": NO_COUNTERPART,
    "reasoning": SAME_FOR_CHATGPT,
    "text": SAME_FOR_CHATGPT,
    "include": FieldSupport(SENT, IGNORED, SENT),
    "max_output_tokens": FieldSupport(SENT, TRANSLATED, HONOURED),
    "temperature": NOT_CHATGPT,
    "top_p": NOT_CHATGPT,
    "top_logprobs": FieldSupport(SENT, TRANSLATED, NATIVE),
    "metadata": NOT_CHATGPT,
    "service_tier": SAME_FOR_CHATGPT,
    "prompt_cache_key": SAME_FOR_CHATGPT,
    "prompt_cache_options": NOT_CHATGPT,
    "prompt_cache_retention": NOT_CHATGPT,
    "prompt_cache_breakpoint": FieldSupport(SENT, IGNORED, IGNORED, openai=IGNORED),  # marks content parts
    "safety_identifier": NOT_CHATGPT,
    "user": NOT_CHATGPT,
    "moderation": FieldSupport(SENT, TRANSLATED, NATIVE),
    "truncation": FORBIDDEN,
    "background": NATIVE_ONLY,
    "prompt": NATIVE_ONLY,
    "context_management": NO_COUNTERPART,
    "image": NATIVE_ONLY,
    "access_programs": NO_COUNTERPART,
    "client_metadata": FieldSupport(SENT, IGNORED, SENT),
    # clients' names for `reasoning`, `text` and `prompt_cache_key`
    "reasoning_effort": ALIAS,
    "reasoningEffort": ALIAS,
    "reasoningSummary": ALIAS,
    "textVerbosity": ALIAS,
    "verbosity": ALIAS,
    "thinking": ALIAS,
    "enable_thinking": ALIAS,
    "promptCacheKey": ALIAS,
    "fallbacks": BY_GATEWAY,
}

TABLES: dict[ApiProtocol, dict[str, FieldSupport]] = {"chat": CHAT, "responses": RESPONSES}
UNKNOWN = NO_COUNTERPART
OTHER_PROTOCOL: dict[ApiProtocol, ApiProtocol] = {"chat": "responses", "responses": "chat"}

# Values without effect, so that dropping the field changes nothing.
NEUTRAL: dict[str, Any] = {
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logit_bias": {},
    "metadata": {},
    "modalities": ["text"],
    "store": False,
    "background": False,
    "include": [],
}

# The keys of translated objects that each protocol can express.
TRANSLATED_KEYS: dict[ApiProtocol, dict[str, tuple[str, ...]]] = {
    "chat": {"reasoning": ("effort",), "text": ("verbosity", "format"), "thinking": ("type",)},
    "responses": {"reasoning": REASONING_FIELDS, "thinking": ("type",)},
}

MAX_IGNORED_NAMES = 32  # most names in the header that lists ignored fields


def _support(row: FieldSupport, dialect: Dialect, *, speaks: bool) -> Support:
    if dialect.is_restricted:
        return row.chatgpt
    if dialect.is_strict and row.openai is not None and speaks:
        return row.openai
    return row.native if speaks else row.translated


# By endpoint, dialect, and whether an account speaks the endpoint's protocol, as `support_table` returns it:
# a request looks up each of its fields several times.
_SUPPORT: dict[tuple[ApiProtocol, Dialect, bool], tuple[dict[str, Support], Support]] = {
    (client_protocol, dialect, speaks): (
        {field: _support(row, dialect, speaks=speaks) for field, row in table.items()},
        _support(UNKNOWN, dialect, speaks=speaks),
    )
    for client_protocol, table in TABLES.items()
    for dialect in DIALECTS
    for speaks in (True, False)
}


def support_table(
    client_protocol: ApiProtocol, dialect: Dialect, protocols: Collection[str]
) -> tuple[dict[str, Support], Support]:
    """Return (the support of each field in the table, the support of any other field)."""
    return _SUPPORT[client_protocol, dialect, client_protocol in protocols]


def support_for(
    client_protocol: ApiProtocol, field: str, dialect: Dialect, protocols: Collection[str]
) -> Support:
    """Return the support of *field* by an account of *dialect* with *protocols*."""
    known, unknown = support_table(client_protocol, dialect, protocols)
    return known.get(field, unknown)


def has_effect(field: str, value: Any) -> bool:
    """Return whether *value* has an effect: it is neither null nor a default."""
    return value is not None and (field not in NEUTRAL or value != NEUTRAL[field])


def ignored_fields(
    client_protocol: ApiProtocol, dialect: Dialect, body: Body, protocols: Collection[str]
) -> list[str]:
    """
    Return the fields of *body* without effect at such an account, in the client's order.

    Names that do not fit into a response header are omitted.
    """
    protocol = client_protocol if client_protocol in protocols else OTHER_PROTOCOL[client_protocol]
    known, unknown = support_table(client_protocol, dialect, protocols)
    names = [
        field
        for field, value in body.items()
        if (handling := known.get(field, unknown)) in _LOSING
        and _loses_value(protocol, field, value, handling)
        and is_nameable(field)
    ]
    return names[:MAX_IGNORED_NAMES]


_LOSING = (TRANSLATED, IGNORED)


def _loses_value(protocol: ApiProtocol, field: str, value: Any, handling: Support) -> bool:
    """Return whether *value* is partly or completely lost in *protocol*."""
    if handling is TRANSLATED and field in THINKING_SWITCHES and turns_off(value):
        return True  # not all models have this effort
    if handling is TRANSLATED and isinstance(value, dict) and field in TRANSLATED_KEYS[protocol]:
        translated = TRANSLATED_KEYS[protocol][field]
        return any(inner is not None and name not in translated for name, inner in value.items())
    return handling is IGNORED and has_effect(field, value)


def is_nameable(name: str) -> bool:
    """Return whether *name*, of a field or of a key inside one, can be listed in a header."""
    return name.isascii() and name.replace(".", "_").isidentifier() and len(name) <= 64
