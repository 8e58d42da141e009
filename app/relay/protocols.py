"""The two protocols of model endpoints: how the events of each are read, and what translates between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from app.accounts.settings import settings_from
from app.relay.context import JsonObject, RequestContext
from app.streaming import chat_protocol, responses_protocol
from app.streaming.events import Event
from app.translation.events.chat_to_chat import ChatPassThrough
from app.translation.events.chat_to_responses import ChatToResponses
from app.translation.events.chunk_identity import ChunkIdentity
from app.translation.events.responses_to_chat import ResponsesToChat
from app.translation.events.responses_to_responses import ResponsesPassThrough
from app.translation.requests.reasoning_and_format import is_formatted


class Translator(Protocol):
    """Turns the upstream's events into the client's."""

    def translate(self, events: list[Event]) -> list[Event]: ...

    def finish(self) -> list[Event]: ...


@dataclass(frozen=True, slots=True)
class EventProtocol:
    """How the events of one protocol are read."""

    reader: Callable[[JsonObject], Any]  # makes a reader, given the body that was sent
    is_opening: Callable[[JsonObject], bool]  # whether an event holds nothing that a user could see


def _chat_reader(body: JsonObject) -> chat_protocol.ChatReader:
    return chat_protocol.ChatReader(
        body.get("n", 1),
        is_call_forced=isinstance(body.get("tool_choice"), dict),
        tools=body.get("tools") or (),
    )


PROTOCOLS = {
    "chat": EventProtocol(_chat_reader, chat_protocol.is_opening),
    "responses": EventProtocol(
        lambda body: responses_protocol.ResponsesReader(), responses_protocol.is_opening
    ),
}


def translator_for(context: RequestContext, upstream_protocol: str) -> Translator:
    """Return the translator from *upstream_protocol* to the client's."""
    options = context.options
    match context.request.client_protocol, upstream_protocol:
        case "chat", "chat":
            identity = ChunkIdentity(completion_identity(context), context.request.body.get("n") or 1)
            return ChatPassThrough(identity, include_usage=options.include_usage)
        case "chat", _:
            return ResponsesToChat(
                f"chatcmpl-{_suffix(context)}",
                _created_at(context),
                context.request.model,
                options.include_usage,
                legacy_functions=bool(context.request.body.get("functions")),
                include_reasoning=options.include_reasoning,
                is_formatted=is_formatted(context.request.body),
            )
        case _, "responses":
            hide_windows = not settings_from(context.caller.key.settings).tells_windows
            return ResponsesPassThrough(options.keep_codex_events, hide_windows=hide_windows)
    return ChatToResponses(f"resp_{_suffix(context)}", _created_at(context), context.request.body, time.time)


def completion_identity(context: RequestContext) -> JsonObject:
    """Return the id, time and model of a completion whose upstream sent none."""
    return {
        "id": f"chatcmpl-{_suffix(context)}",
        "created": _created_at(context),
        "model": context.request.model,
    }


def _suffix(context: RequestContext) -> str:
    """Return the suffix of the ids that the gateway gives to responses."""
    return context.request_id.removeprefix("req_")


def _created_at(context: RequestContext) -> int:
    return int(context.caller.key.now)
