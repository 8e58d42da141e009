"""
Parse a request of either protocol.

Tolerant, like the servers that it simulates: a malformed field counts as absent, except the two required
ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import orjson

from app.demo.errors import HttpError

Json = dict[str, Any]

BYTES_PER_TOKEN = 4
TOKENS_PER_TURN = 3  # of each message, for its role and separators
MAX_CHOICES = 128


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that may be called."""

    name: str
    parameters: Json  # JSON Schema


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """The parts of a request that determine the response."""

    model: str
    text: str  # text of the last user message
    results: tuple[str, ...]  # results of functions since then
    tools: tuple[Tool, ...]  # the functions that may be called now
    parallel: bool
    schema: Json | None  # schema of the requested JSON; {} is any object, None is prose
    reasons: bool
    max_output_tokens: int | None
    input_tokens: int
    stop: tuple[str, ...] = ()
    choices: int = 1

    @property
    def slow(self) -> bool:
        return re.search(r"\bslow", self.text, re.IGNORECASE) is not None


def parse_chat_request(body: Json) -> DemoRequest:
    """Read the body of `POST /v1/chat/completions`. Raises HttpError 400."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise HttpError(400, "'messages' must be a non-empty array.", param="messages")
    turns = [(_string(message.get("role")), _text(message.get("content"))) for message in _objects(messages)]
    output_format = _object(body.get("response_format"))
    stop = body.get("stop")
    request = _build_request(
        body,
        turns,
        output_format={**output_format, **_object(output_format.get("json_schema"))},
        effort=body.get("reasoning_effort"),
        limit=_count(body.get("max_completion_tokens")) or _count(body.get("max_tokens")),
    )
    return replace(
        request,
        stop=tuple(filter(None, map(_string, stop if isinstance(stop, list) else [stop]))),
        choices=min(_count(body.get("n")) or 1, MAX_CHOICES),
    )


def parse_responses_request(body: Json) -> DemoRequest:
    """Read the body of `POST /v1/responses`. Raises HttpError 400."""
    content = body.get("input")
    if not isinstance(content, str | list):
        raise HttpError(400, "'input' must be a string or an array.", param="input")
    items = [{"role": "user", "content": content}] if isinstance(content, str) else _objects(content)
    turns = [("system", _text(body.get("instructions")))]
    for item in items:
        if _string(item.get("type")).endswith("_call_output"):
            turns.append(("tool", _text(item.get("output"))))
        else:
            turns.append((_string(item.get("role")), _text(item.get("content"))))
    return _build_request(
        body,
        turns,
        output_format=_object(_object(body.get("text")).get("format")),
        effort=_object(body.get("reasoning")).get("effort"),
        limit=_count(body.get("max_output_tokens")),
    )


def _build_request(
    body: Json,
    turns: list[tuple[str, str]],
    *,
    output_format: Json,
    effort: Any,
    limit: int | None,
) -> DemoRequest:
    model, tools = body.get("model"), _functions(body)
    if not isinstance(model, str) or not model:
        raise HttpError(400, "you must provide a model parameter", param="model")
    last_user = max((index for index, (role, _) in enumerate(turns) if role == "user"), default=-1)
    return DemoRequest(
        model=model,
        text=turns[last_user][1] if last_user >= 0 else "",
        results=tuple(text for role, text in turns[last_user + 1 :] if role in ("tool", "function")),
        tools=_callable(tools, body.get("tool_choice")),
        parallel=body.get("parallel_tool_calls") is not False,
        schema=_schema(output_format),
        reasons=isinstance(effort, str) and effort != "none",
        max_output_tokens=limit,
        input_tokens=_tokens(turns, tools),
    )


def _callable(tools: list[Json], choice: Any) -> tuple[Tool, ...]:
    """Return the functions that *choice* allows."""
    if choice == "none":
        return ()
    names = _chosen_names(_object(choice))
    return tuple(
        Tool(tool["name"], _object(tool.get("parameters")))
        for tool in tools
        if names is None or tool["name"] in names
    )


def _chosen_names(choice: Json) -> set[str] | None:
    """Return the names that *choice*, nested (chat) or flat (Responses), allows; None for all."""
    inner = _object(choice.get("function")) or _object(choice.get("allowed_tools")) or choice
    if choice.get("type") == "function":
        return {_string(inner.get("name"))}
    if choice.get("type") == "allowed_tools":
        tools = _objects(inner.get("tools"))
        return {_string((_object(tool.get("function")) or tool).get("name")) for tool in tools}
    return None


def _schema(output_format: Json) -> Json | None:
    if output_format.get("type") == "json_object":
        return {}
    return _object(output_format.get("schema")) if output_format.get("type") == "json_schema" else None


def _tokens(turns: list[tuple[str, str]], tools: list[Json]) -> int:
    size = sum(len(text.encode("utf-8", "replace")) for _, text in turns)
    size += len(orjson.dumps(tools)) if tools else 0
    return -(-size // BYTES_PER_TOKEN) + TOKENS_PER_TURN * sum(1 for _, text in turns if text)


def _functions(body: Json) -> list[Json]:
    """Return the function tools, in the flat format of Responses."""
    tools = [tool for tool in _objects(body.get("tools")) if tool.get("type") == "function"]
    return [flat for tool in tools if _string((flat := _object(tool.get("function")) or tool).get("name"))]


def _text(content: Any) -> str:
    """Return the text of a message: a string, or the text parts of a list."""
    if isinstance(content, list):
        return "".join(_string(part.get("text")) for part in _objects(content))
    return _string(content)


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None
