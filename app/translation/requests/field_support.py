"""
What becomes of every request field, as one table.

A row names a field and its fate in three cases:
- the account speaks the caller's wire itself, and takes what its servers usually take,
- it speaks the other wire, so the request is translated,
- it is a ChatGPT sign-in, whose backend takes the few Responses fields of `CHATGPT_FIELDS`;
and, where that differs from the first, in a fourth: it is the OpenAI API itself.

A field without a row reaches accounts of the first kind as it is, and no other.
Source: https://platform.openai.com/docs/api-reference/chat/create and
https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import Enum
from typing import Any, NamedTuple

from app.translation.requests.content_checks import has_audio, has_hosted_tools, has_references
from app.translation.requests.parts import as_list
from app.translation.requests.reasoning_and_format import REASONING_FIELDS

Body = dict[str, Any]
Surface = str  # "chat" or "responses"


class Support(Enum):
    SENT = "sent as it is"
    TRANSLATED = "said in the other wire's words"
    HONOURED = "done by the gateway itself"
    IGNORED = "accepted, without effect; the caller is told"
    NATIVE = "would change the answer: needs an account that takes it itself"
    REFUSED = "no account takes it"


class Row(NamedTuple):
    native: Support
    translated: Support
    chatgpt: Support
    openai: Support | None = None


SENT, TRANSLATED, HONOURED = Support.SENT, Support.TRANSLATED, Support.HONOURED
IGNORED, NATIVE, REFUSED = Support.IGNORED, Support.NATIVE, Support.REFUSED

SAID = Row(SENT, TRANSLATED, TRANSLATED)  # both wires have a word for it
UNSAID = Row(SENT, IGNORED, IGNORED)  # the other wire has none
OPEN_ONLY = Row(SENT, TRANSLATED, IGNORED)  # the ChatGPT backend answers 400 to it
ALIKE = Row(SENT, TRANSLATED, SENT)
GATEWAYS = Row(HONOURED, HONOURED, HONOURED)
FORBIDDEN = Row(REFUSED, REFUSED, REFUSED)
NATIVE_ONLY = Row(SENT, NATIVE, NATIVE)
OTHER_WORD = Row(TRANSLATED, TRANSLATED, TRANSLATED)  # of some client: no wire has it
OTHER_WIRES = Row(IGNORED, TRANSLATED, TRANSLATED)  # a word of Responses that chat has none for
EDITORS = Row(SENT, TRANSLATED, TRANSLATED, openai=TRANSLATED)  # many servers know it, OpenAI's do not

CHAT: dict[str, Row] = {
    "model": SAID,
    "messages": SAID,
    "tools": SAID,
    "tool_choice": SAID,
    "parallel_tool_calls": SAID,
    "functions": SAID,
    "function_call": SAID,
    "stream": SAID,
    "stream_options": SAID,
    "temperature": OPEN_ONLY,
    "top_p": OPEN_ONLY,
    "max_completion_tokens": Row(SENT, TRANSLATED, HONOURED),
    "max_tokens": Row(SENT, TRANSLATED, HONOURED),
    "n": NATIVE_ONLY,
    "stop": Row(SENT, HONOURED, HONOURED),
    "presence_penalty": UNSAID,
    "frequency_penalty": UNSAID,
    "logit_bias": UNSAID,
    "logprobs": Row(SENT, TRANSLATED, NATIVE),
    "top_logprobs": Row(SENT, TRANSLATED, NATIVE),
    "seed": UNSAID,
    "response_format": SAID,
    "reasoning_effort": SAID,
    "verbosity": SAID,
    "modalities": NATIVE_ONLY,
    "audio": NATIVE_ONLY,
    "prediction": UNSAID,
    "web_search_options": SAID,
    "metadata": OPEN_ONLY,
    "store": UNSAID,
    "service_tier": SAID,
    "prompt_cache_key": SAID,
    "prompt_cache_options": OPEN_ONLY,
    "prompt_cache_retention": OPEN_ONLY,
    "safety_identifier": OPEN_ONLY,
    "user": OPEN_ONLY,
    "moderation": Row(SENT, TRANSLATED, NATIVE),
    # Responses' own, which some clients send to chat
    "client_metadata": OTHER_WIRES,
    "instructions": OTHER_WORD,
    "include": OTHER_WIRES,
    "text": OTHER_WORD,
    # the names that other gateways and editors gave to reasoning
    "reasoning": EDITORS,
    "reasoningEffort": OTHER_WORD,
    "reasoningSummary": OTHER_WIRES,
    "textVerbosity": OTHER_WORD,
    "thinking": EDITORS,
    "enable_thinking": EDITORS,
    "promptCacheKey": OTHER_WORD,
    # other gateways' own
    "cache_control": Row(SENT, IGNORED, IGNORED, openai=IGNORED),
    "fallbacks": GATEWAYS,
}

RESPONSES: dict[str, Row] = {
    "model": ALIKE,
    "input": ALIKE,
    "messages": OTHER_WORD,
    "instructions": ALIKE,
    "previous_response_id": FORBIDDEN,
    "conversation": Row(SENT, NATIVE, SENT),
    "store": ALIKE,
    "stream": ALIKE,
    "stream_options": ALIKE,
    "tools": ALIKE,
    "tool_choice": ALIKE,
    "parallel_tool_calls": ALIKE,
    "max_tool_calls": UNSAID,
    "reasoning": ALIKE,
    "text": ALIKE,
    "include": Row(SENT, IGNORED, SENT),
    "max_output_tokens": Row(SENT, TRANSLATED, HONOURED),
    "temperature": OPEN_ONLY,
    "top_p": OPEN_ONLY,
    "top_logprobs": Row(SENT, TRANSLATED, NATIVE),
    "metadata": OPEN_ONLY,
    "service_tier": ALIKE,
    "prompt_cache_key": ALIKE,
    "prompt_cache_options": OPEN_ONLY,
    "prompt_cache_retention": OPEN_ONLY,
    "prompt_cache_breakpoint": Row(SENT, IGNORED, IGNORED, openai=IGNORED),  # it marks parts
    "safety_identifier": OPEN_ONLY,
    "user": OPEN_ONLY,
    "moderation": Row(SENT, TRANSLATED, NATIVE),
    "truncation": FORBIDDEN,
    "background": NATIVE_ONLY,
    "prompt": NATIVE_ONLY,
    "context_management": UNSAID,
    "image": NATIVE_ONLY,
    "access_programs": UNSAID,
    "client_metadata": Row(SENT, IGNORED, SENT),
    # what other clients call them, said as `reasoning`, `text` and `prompt_cache_key`
    "reasoning_effort": OTHER_WORD,
    "reasoningEffort": OTHER_WORD,
    "reasoningSummary": OTHER_WORD,
    "textVerbosity": OTHER_WORD,
    "verbosity": OTHER_WORD,
    "thinking": OTHER_WORD,
    "enable_thinking": OTHER_WORD,
    "promptCacheKey": OTHER_WORD,
    "fallbacks": GATEWAYS,
}

TABLES: dict[Surface, dict[str, Row]] = {"chat": CHAT, "responses": RESPONSES}
UNKNOWN = UNSAID

# What asks for nothing, so that leaving it out changes nothing.
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
    "enable_thinking": False,
    "include": [],
}

# What each wire has a word for of the objects that are translated into it.
SAID_INSIDE: dict[Surface, dict[str, tuple[str, ...]]] = {
    "chat": {"reasoning": ("effort",), "text": ("verbosity", "format"), "thinking": ("type",)},
    "responses": {"reasoning": REASONING_FIELDS, "thinking": ("type",)},
}

# The wires of a kind, where the account itself does not say.
WIRES: dict[str, frozenset[str]] = {
    "openai": frozenset({"chat", "responses"}),
    "compatible": frozenset({"chat"}),
    "chatgpt": frozenset({"responses"}),
    "demo": frozenset({"chat", "responses"}),
}

MAX_NAMED = 32  # fields in the header that names what was ignored


def _fate(row: Row, kind: str, *, speaks: bool) -> Support:
    if kind == "chatgpt":
        return row.chatgpt
    if kind == "openai" and row.openai is not None and speaks:
        return row.openai
    return row.native if speaks else row.translated


# By endpoint, kind of account, and whether it speaks the endpoint's protocol: a request looks up each of
# its fields several times.
_FATES: dict[tuple[Surface, str, bool], dict[str, Support]] = {
    (surface, kind, speaks): {field: _fate(row, kind, speaks=speaks) for field, row in table.items()}
    for surface, table in TABLES.items()
    for kind in WIRES
    for speaks in (True, False)
}


def fates_of(
    surface: Surface, kind: str, wires: Collection[str] | None
) -> tuple[dict[str, Support], Support]:
    """Return what becomes of each field of the table, and of any other."""
    speaks = surface in (WIRES[kind] if wires is None else wires)
    return _FATES[surface, kind, speaks], _fate(UNKNOWN, kind, speaks=speaks)


def support(surface: Surface, field: str, kind: str, wires: Collection[str] | None = None) -> Support:
    """Return what becomes of *field* with an account of *kind* that speaks *wires*."""
    known, unknown = fates_of(surface, kind, wires)
    return known.get(field, unknown)


def asked(field: str, value: Any) -> bool:
    """Return whether *value* asks for anything at all."""
    return value is not None and (field not in NEUTRAL or value != NEUTRAL[field])


def ignored(surface: Surface, kind: str, body: Body, wires: Collection[str] | None = None) -> list[str]:
    """
    Return the fields of *body* that such an account cannot honour, in the caller's order.

    Names that would not fit into a response header are left out.
    """
    wire = surface if surface in (WIRES[kind] if wires is None else wires) else _OTHER[surface]
    known, unknown = fates_of(surface, kind, wires)
    names = [
        field
        for field, value in body.items()
        if (becomes := known.get(field, unknown)) in _LOSING
        and _loses(wire, field, value, becomes)
        and _is_nameable(field)
    ]
    return names[:MAX_NAMED]


_LOSING = (TRANSLATED, IGNORED)


def _loses(wire: Surface, field: str, value: Any, becomes: Support) -> bool:
    """Return whether something of *field* does not get through to an account asked on *wire*."""
    if becomes is TRANSLATED and isinstance(value, dict) and field in SAID_INSIDE[wire]:
        said = SAID_INSIDE[wire][field]
        return any(one is not None and name not in said for name, one in value.items())
    return becomes is IGNORED and asked(field, value)


def _is_nameable(field: str) -> bool:
    return field.isascii() and field.isidentifier() and len(field) <= 64


def needs_native(surface: Surface, body: Body, kind: str, wires: Collection[str] | None = None) -> str | None:
    """Return the first field of *body* that an account of *kind* cannot take itself, else None."""
    speaks = surface in (WIRES[kind] if wires is None else wires)
    known, unknown = fates_of(surface, kind, wires)
    for field, value in body.items():
        inside = None if speaks else _INSIDE[surface].get(field)
        native = known.get(field, unknown) is NATIVE
        if not (native or inside) or not asked(field, value):
            continue
        if field == "audio" and not _wants_audio(body):
            continue
        if native or (inside is not None and inside(value)):
            return field
    return None


def _wants_audio(body: Body) -> bool:
    """Return whether *body* asks for sound; without that, `audio` only says how it would be."""
    return "audio" in as_list(body.get("modalities"))


class Fit(NamedTuple):
    """Whom a request rules out. `field` is one that does, None where any account may serve it."""

    field: str | None = None
    wire: Surface | None = None  # only accounts that speak it
    unfit_kinds: tuple[str, ...] = ()


def fit_of(surface: Surface, body: Body) -> Fit:
    """Return which accounts can honour all of *body*."""
    translated = needs_native(surface, body, "compatible", {_OTHER[surface]})
    chatgpt = needs_native(surface, body, "chatgpt")
    return Fit(translated or chatgpt, surface if translated else None, ("chatgpt",) if chatgpt else ())


_OTHER: dict[Surface, Surface] = {"chat": "responses", "responses": "chat"}
_INSIDE: dict[Surface, dict[str, Callable[[Any], bool]]] = {
    "chat": {"messages": has_audio},
    "responses": {"tools": has_hosted_tools, "input": has_references},
}
