"""
Compute the response to a request, deterministically.

Pure: no clock, no randomness, no protocol. `app.demo` documents which request gets which response.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TypedDict

import orjson

from app.demo.examples import example
from app.demo.request import DemoRequest, Tool

Pieces = tuple[str, ...]  # deltas of a text, each of one token

QUOTE_LIMIT = 400  # characters
_PIECE = re.compile(r"\s*\S{1,8}|\s+$")


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: Pieces


@dataclass(frozen=True, slots=True)
class Usage:
    input_tokens: int
    output_tokens: int  # including reasoning
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class DemoResponse:
    """The response, independent of a protocol; `cut` is true if a limit ended it."""

    usage: Usage
    reasoning: Pieces = ()
    text: Pieces = ()
    refusal: Pieces = ()
    calls: tuple[Call, ...] = ()
    cut: bool = False


def respond(request: DemoRequest) -> DemoResponse:
    """Return the response to *request*, within its token limit."""
    full = DemoResponse(
        usage=Usage(request.input_tokens, 0),
        reasoning=pieces(f"The request has {request.input_tokens} tokens.") if request.reasons else (),
        **_content(request),
    )
    limited = _limited(full, request.max_output_tokens)
    reasoning_tokens = len(limited.reasoning)
    content_tokens = (
        len(limited.text) + len(limited.refusal) + sum(len(call.arguments) for call in limited.calls)
    )
    usage = Usage(
        input_tokens=request.input_tokens,
        output_tokens=(reasoning_tokens + content_tokens) * request.choices,
        reasoning_tokens=reasoning_tokens * request.choices,
    )
    return replace(limited, usage=usage)


def pieces(text: str) -> Pieces:
    """Split *text* as a model might: before a space, or within a long word."""
    return tuple(_PIECE.findall(text))


class _Content(TypedDict, total=False):
    text: Pieces
    refusal: Pieces
    calls: tuple[Call, ...]


def _content(request: DemoRequest) -> _Content:
    """Return the content fields of the DemoResponse, by the table in `app.demo`."""
    if "please refuse" in request.text.lower():
        return {"refusal": pieces("I am sorry, but poolgate-demo was instructed to refuse this.")}
    if request.tools and not request.results:
        return {"calls": tuple(_call(tool) for tool in _chosen_tools(request))}
    return {"text": pieces(_until(request.stop, _text(request)))}


def _text(request: DemoRequest) -> str:
    if request.schema is not None:
        made = example(request.schema) if request.schema else {"answer": _sentence(request)}
        return orjson.dumps(made).decode()
    return _sentence(request)


def _sentence(request: DemoRequest) -> str:
    if request.results:
        return f"poolgate-demo called a function, which returned: {_quoted('; '.join(request.results))}"
    return f"This is poolgate-demo, a simulated model. You wrote: {_quoted(request.text)}"


def _chosen_tools(request: DemoRequest) -> tuple[Tool, ...]:
    named = tuple(tool for tool in request.tools if tool.name in request.text)
    chosen = named or request.tools[:1]
    return chosen if request.parallel else chosen[:1]


def _call(tool: Tool) -> Call:
    made = example(tool.parameters) if tool.parameters else {}
    return Call(tool.name, pieces(orjson.dumps(made).decode()))


def _quoted(text: str) -> str:
    return f'"{text[:QUOTE_LIMIT]}…"' if len(text) > QUOTE_LIMIT else f'"{text}"'


def _until(stop: tuple[str, ...], text: str) -> str:
    for sequence in stop:
        text = text.partition(sequence)[0]
    return text


def _limited(full: DemoResponse, limit: int | None) -> DemoResponse:
    """Return the first *limit* tokens of *full*, without calls that lost all arguments."""
    if limit is None:
        return full
    left = limit
    cut = False

    def take(all_pieces: Pieces) -> Pieces:
        nonlocal left, cut
        limited = all_pieces[:left]
        left -= len(limited)
        cut = cut or len(limited) < len(all_pieces)
        return limited

    limited = replace(full, reasoning=take(full.reasoning), text=take(full.text), refusal=take(full.refusal))
    calls = tuple(Call(call.name, take(call.arguments)) for call in full.calls)
    return replace(limited, calls=tuple(call for call in calls if call.arguments), cut=cut)
