"""
Reasoning, verbosity and output format of a request, under every name that clients use.

Chat has `reasoning_effort`, `verbosity` and `response_format`; Responses has the objects
`reasoning` and `text`. Some clients use camel case, or `thinking`.

Source: https://platform.openai.com/docs/api-reference/responses/create (reasoning, text)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

from app.errors import InvalidRequest
from app.openai_types.chat import ResponseFormat, SchemaFormat
from app.openai_types.responses import Reasoning, TextFormat, TextSettings

Settings = dict[str, Any]
Fields = TypeVar("Fields", bound=Mapping[str, Any])

EFFORT_ALIASES = ("reasoning_effort", "reasoningEffort")
VERBOSITY_ALIASES = ("verbosity", "textVerbosity")
ALIASES = (
    *EFFORT_ALIASES,
    *VERBOSITY_ALIASES,
    "reasoningSummary",
    "thinking",
    "enable_thinking",
    "promptCacheKey",
)
# Fields with the same name and meaning in both protocols.
SHARED_FIELDS = (
    "temperature",
    "top_p",
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "user",
    "moderation",
)
THINKING_SWITCHES = ("thinking", "enable_thinking")
REASONING_FIELDS = ("effort", "summary", "generate_summary", "context", "mode")
SCHEMA_FIELDS: tuple[Literal["name", "description", "schema", "strict"], ...] = (
    "name",
    "description",
    "schema",
    "strict",
)
SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def without_nulls(fields: Fields) -> Fields:
    """Return *fields* without nulls: null means the same as absence."""
    return cast(Fields, {name: value for name, value in fields.items() if value is not None})


def first_set(body: Settings, names: tuple[str, ...]) -> Any:
    return next((body[name] for name in names if body.get(name)), None)


def reasoning_settings(body: Settings) -> Reasoning:
    """Return the `reasoning` object of *body*; aliases provide the fields that it lacks."""
    requested: Reasoning | None = body.get("reasoning")
    reasoning: Reasoning = without_nulls(requested) if isinstance(requested, dict) else {}
    effort = first_set(body, EFFORT_ALIASES) or _thinking_effort(body)
    if effort:
        reasoning.setdefault("effort", effort)
    if body.get("reasoningSummary"):
        reasoning.setdefault("summary", body["reasoningSummary"])
    return reasoning


def turns_off(thinking: Any) -> bool:
    """Return whether *thinking*, a value of `THINKING_SWITCHES`, turns reasoning off."""
    kind = thinking.get("type") if isinstance(thinking, dict) else thinking
    return kind is False or kind == "disabled"


def loses_thinking(thinking: Any) -> bool:
    """Return whether *thinking* does more than turn reasoning on: it sets a budget, or turns it off."""
    if isinstance(thinking, dict) and any(key != "type" and thinking[key] is not None for key in thinking):
        return True
    return turns_off(thinking)


def _thinking_effort(body: Settings) -> str | None:
    thinking = body.get("thinking")
    if isinstance(thinking, str) and thinking not in ("enabled", "disabled"):
        return thinking
    if isinstance(thinking, dict):
        thinking = thinking.get("type")
    enabled = thinking is True or thinking == "enabled"
    return "medium" if enabled or body.get("enable_thinking") is True else None


def text_settings(body: Settings) -> TextSettings:
    """Return the `text` object of *body*; aliases provide the fields that it lacks. `format` is unchanged."""
    requested: TextSettings | None = body.get("text")
    text: TextSettings = without_nulls(requested) if isinstance(requested, dict) else {}
    verbosity = first_set(body, VERBOSITY_ALIASES)
    if verbosity:
        text.setdefault("verbosity", verbosity)
    return text


def text_format(response_format: Any) -> TextFormat:
    """Return a chat `response_format` as a Responses `text.format`; raises InvalidRequest."""
    kind = response_format.get("type") if isinstance(response_format, dict) else response_format
    if kind in ("text", "json_object"):
        return {"type": kind}
    schema = response_format.get("json_schema") if isinstance(response_format, dict) else None
    if kind != "json_schema" or not isinstance(schema, dict):
        raise InvalidRequest(
            "'response_format' must be text, json_object, or json_schema with a 'json_schema' object",
            param="response_format",
        )
    name = schema.get("name")
    if not isinstance(name, str) or not SCHEMA_NAME.fullmatch(name):
        raise InvalidRequest(
            "'response_format.json_schema.name' must be 1 to 64 letters, digits, '_' or '-'",
            param="response_format.json_schema.name",
        )
    return {"type": "json_schema", **_schema_fields(schema)}


def is_formatted(body: Settings) -> bool:
    """Return whether the chat request *body* requests a response in JSON."""
    text = body.get("text")
    requested = body.get("response_format") or (text.get("format") if isinstance(text, dict) else None)
    kind = requested.get("type") if isinstance(requested, dict) else requested
    return kind in ("json_object", "json_schema")


def _schema_fields(schema: Mapping[str, Any]) -> SchemaFormat:
    out: SchemaFormat = {}
    for key in SCHEMA_FIELDS:
        if schema.get(key) is not None:
            out[key] = schema[key]
    return out


def response_format(text_format: TextFormat) -> ResponseFormat:
    """Return a Responses `text.format` as a chat `response_format`."""
    if text_format.get("type") != "json_schema":
        return {"type": text_format.get("type")}
    return {"type": "json_schema", "json_schema": _schema_fields(text_format)}
