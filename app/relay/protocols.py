"""The two wires side by side: how each is read, and who translates between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from app.accounts.settings import settings_from
from app.relay.context import RequestContext
from app.streaming import chat_protocol, responses_protocol
from app.streaming.events import Event
from app.translation.events.chat_to_chat import ChatPassThrough
from app.translation.events.chat_to_responses import ChatToResponses
from app.translation.events.responses_to_chat import ResponsesToChat
from app.translation.events.responses_to_responses import ResponsesPassThrough


class Translator(Protocol):
    def translate(self, events: list[Event]) -> list[Event]: ...

    def finish(self) -> list[Event]: ...


@dataclass(frozen=True, slots=True)
class Wire:
    reader: Callable[[dict[str, Any]], Any]  # given the body that was sent
    is_opening: Callable[[dict[str, Any]], bool]


WIRES = {
    "chat": Wire(lambda body: chat_protocol.ChatReader(body.get("n", 1)), chat_protocol.is_opening),
    "responses": Wire(lambda body: responses_protocol.ResponsesReader(), responses_protocol.is_opening),
}


def translator_for(context: RequestContext, wire: str) -> Translator:
    """Return what turns events of *wire* into those of the client's surface."""
    suffix = context.request_id.removeprefix("req_")
    created_at = int(context.key.now)
    match context.surface, wire:
        case "chat", "chat":
            return ChatPassThrough(include_usage=context.include_usage)
        case "chat", _:
            return ResponsesToChat(
                f"chatcmpl-{suffix}",
                created_at,
                context.model,
                context.include_usage,
                legacy_functions=bool(context.body.get("functions")),
                include_reasoning=context.include_reasoning,
            )
        case _, "responses":
            hide_windows = not settings_from(context.key.settings).tells_windows
            return ResponsesPassThrough(context.keep_codex_events, hide_windows=hide_windows)
    return ChatToResponses(f"resp_{suffix}", created_at, context.body)
