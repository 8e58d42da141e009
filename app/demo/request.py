"""
What a request asks for, whichever wire it came by.

Tolerant like the servers it stands for: a field that does not fit its shape is as good as
absent, except the two without which there is nothing to answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from app.demo.http import HttpError

Json = dict[str, Any]

BYTES_PER_TOKEN = 4
TOKENS_PER_TURN = 3  # role and separators
MAX_CHOICES = 128


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    parameters: Json  # JSON Schema


@dataclass(frozen=True, slots=True)
class DemoRequest:
    model: str
    text: str  # the last user message
    results: tuple[str, ...]  # what functions returned since then
    tools: tuple[Tool, ...]  # the functions that may be called now
    parallel: bool
    schema: Json | None  # of the JSON wanted; {} is any object, None is prose
    reasons: bool
    max_output_tokens: int | None
    stop: tuple[str, ...]
    choices: int
    input_tokens: int

    @property
    def slow(self) -> bool:
        return re.search(r"\bslow", self.text, re.IGNORECASE) is not None


def asked_on_chat(body: Json) -> DemoRequest:
    """Read the body of `POST /v1/chat/completions`. Raises HttpError 400."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise HttpError(400, "'messages' must be a non-empty array.", param="messages")
    turns = [(_string(message.get("role")), _text(message.get("content"))) for message in _objects(messages)]
    wanted = _object(body.get("response_format"))
    stop = body.get("stop")
    return _asked(
        body,
        turns,
        tools=_functions(body),
        wanted={**wanted, **_object(wanted.get("json_schema"))},
        effort=body.get("reasoning_effort"),
        limit=_count(body.get("max_completion_tokens")) or _count(body.get("max_tokens")),
        stop=tuple(filter(None, map(_string, stop if isinstance(stop, list) else [stop]))),
        choices=min(_count(body.get("n")) or 1, MAX_CHOICES),
    )


def asked_on_responses(body: Json) -> DemoRequest:
    """Read the body of `POST /v1/responses`. Raises HttpError 400."""
    given = body.get("input")
    if not isinstance(given, str | list):
        raise HttpError(400, "'input' must be a string or an array.", param="input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else _objects(given)
    turns = [("system", _text(body.get("instructions")))]
    for item in items:
        if _string(item.get("type")).endswith("_call_output"):
            turns.append(("tool", _text(item.get("output"))))
        else:
            turns.append((_string(item.get("role")), _text(item.get("content"))))
    return _asked(
        body,
        turns,
        tools=_functions(body),
        wanted=_object(_object(body.get("text")).get("format")),
        effort=_object(body.get("reasoning")).get("effort"),
        limit=_count(body.get("max_output_tokens")),
        stop=(),
        choices=1,
    )


def _asked(
    body: Json,
    turns: list[tuple[str, str]],
    *,
    tools: list[Json],
    wanted: Json,
    effort: Any,
    limit: int | None,
    stop: tuple[str, ...],
    choices: int,
) -> DemoRequest:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise HttpError(400, "you must provide a model parameter", param="model")
    last_user = max((place for place, (role, _) in enumerate(turns) if role == "user"), default=-1)
    return DemoRequest(
        model=model,
        text=turns[last_user][1] if last_user >= 0 else "",
        results=tuple(text for role, text in turns[last_user + 1 :] if role in ("tool", "function")),
        tools=_callable(tools, body.get("tool_choice")),
        parallel=body.get("parallel_tool_calls") is not False,
        schema=_schema(wanted),
        reasons=isinstance(effort, str) and effort != "none",
        max_output_tokens=limit,
        stop=stop,
        choices=choices,
        input_tokens=_tokens(turns, tools),
    )


def _callable(tools: list[Json], choice: Any) -> tuple[Tool, ...]:
    """Return the functions that *choice* leaves."""
    if choice == "none":
        return ()
    names = _chosen_names(_object(choice))
    return tuple(
        Tool(tool["name"], _object(tool.get("parameters")))
        for tool in tools
        if names is None or tool["name"] in names
    )


def _chosen_names(choice: Json) -> set[str] | None:
    """Chat nests what Responses writes flat; both are read."""
    inner = _object(choice.get("function")) or _object(choice.get("allowed_tools")) or choice
    if choice.get("type") == "function":
        return {_string(inner.get("name"))}
    if choice.get("type") == "allowed_tools":
        tools = _objects(inner.get("tools"))
        return {_string((_object(tool.get("function")) or tool).get("name")) for tool in tools}
    return None


def _schema(wanted: Json) -> Json | None:
    if wanted.get("type") == "json_object":
        return {}
    return _object(wanted.get("schema")) if wanted.get("type") == "json_schema" else None


def _tokens(turns: list[tuple[str, str]], tools: list[Json]) -> int:
    size = sum(len(text.encode("utf-8", "replace")) for _, text in turns)
    size += len(orjson.dumps(tools)) if tools else 0
    return -(-size // BYTES_PER_TOKEN) + TOKENS_PER_TURN * sum(1 for _, text in turns if text)


def _functions(body: Json) -> list[Json]:
    """Return the function tools, in the flat shape of Responses."""
    tools = [tool for tool in _objects(body.get("tools")) if tool.get("type") == "function"]
    return [flat for tool in tools if _string((flat := _object(tool.get("function")) or tool).get("name"))]


def _text(content: Any) -> str:
    """Return the text of a message: a string, or the text parts of a list."""
    if isinstance(content, list):
        return "".join(_string(part.get("text")) for part in _objects(content))
    return _string(content)


def _objects(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None
