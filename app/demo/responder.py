"""
The model that is none: from what is asked to what is answered, always the same way.

Pure: no clock, no chance, no wire. `app.demo` says which words bring which answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import orjson

from app.demo.examples import example
from app.demo.request import DemoRequest, Tool

Pieces = tuple[str, ...]  # deltas; joined they are the text, and each is one token

QUOTE_LIMIT = 400  # characters
_PIECE = re.compile(r"\s*\S{1,8}|\s+$")


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: Pieces


@dataclass(frozen=True, slots=True)
class Usage:
    input_tokens: int
    output_tokens: int  # with the reasoning
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What was produced, before a wire dresses it. `cut` means that a limit ended it."""

    usage: Usage
    reasoning: Pieces = ()
    text: Pieces = ()
    refusal: Pieces = ()
    calls: tuple[Call, ...] = ()
    cut: bool = False


def answer(asked: DemoRequest) -> Answer:
    """Answer *asked*, within its token limit."""
    whole = Answer(
        usage=Usage(asked.input_tokens, 0),
        reasoning=pieces(f"The request has {asked.input_tokens} tokens.") if asked.reasons else (),
        **_content(asked),
    )
    kept = _within(whole, asked.max_output_tokens)
    thought = len(kept.reasoning)
    said = len(kept.text) + len(kept.refusal) + sum(len(call.arguments) for call in kept.calls)
    usage = Usage(
        input_tokens=asked.input_tokens,
        output_tokens=(thought + said) * asked.choices,
        reasoning_tokens=thought * asked.choices,
    )
    return replace(kept, usage=usage)


def pieces(text: str) -> Pieces:
    """Cut *text* where a model might: before a space, or within a long word."""
    return tuple(_PIECE.findall(text))


def _content(asked: DemoRequest) -> dict[str, Any]:
    """Return the one field of an Answer that is filled. The order is `app.demo`'s table."""
    if "please refuse" in asked.text.lower():
        return {"refusal": pieces("I am sorry, but poolgate-demo was asked to refuse this.")}
    if asked.tools and not asked.results:
        return {"calls": tuple(_call(tool) for tool in _called(asked))}
    return {"text": pieces(_until(asked.stop, _text(asked)))}


def _text(asked: DemoRequest) -> str:
    if asked.schema is not None:
        made = example(asked.schema) if asked.schema else {"answer": _sentence(asked)}
        return orjson.dumps(made).decode()
    return _sentence(asked)


def _sentence(asked: DemoRequest) -> str:
    if asked.results:
        return f"poolgate-demo called for help and was told: {_quoted('; '.join(asked.results))}"
    return f"This is poolgate-demo, a simulated model. You wrote: {_quoted(asked.text)}"


def _called(asked: DemoRequest) -> tuple[Tool, ...]:
    named = tuple(tool for tool in asked.tools if tool.name in asked.text)
    called = named or asked.tools[:1]
    return called if asked.parallel else called[:1]


def _call(tool: Tool) -> Call:
    made = example(tool.parameters) if tool.parameters else {}
    return Call(tool.name, pieces(orjson.dumps(made).decode()))


def _quoted(text: str) -> str:
    return f'"{text[:QUOTE_LIMIT]}…"' if len(text) > QUOTE_LIMIT else f'"{text}"'


def _until(stop: tuple[str, ...], text: str) -> str:
    for sequence in stop:
        text = text.partition(sequence)[0]
    return text


def _within(whole: Answer, limit: int | None) -> Answer:
    """Keep the first *limit* tokens; a call of which nothing is left is gone."""
    if limit is None:
        return whole
    left = limit
    cut = False

    def take(all_pieces: Pieces) -> Pieces:
        nonlocal left, cut
        kept = all_pieces[:left]
        left -= len(kept)
        cut = cut or len(kept) < len(all_pieces)
        return kept

    kept = replace(whole, reasoning=take(whole.reasoning), text=take(whole.text), refusal=take(whole.refusal))
    calls = tuple(Call(call.name, take(call.arguments)) for call in whole.calls)
    return replace(kept, calls=tuple(call for call in calls if call.arguments), cut=cut)
