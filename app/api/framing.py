"""How each client protocol is framed as server-sent events, and folded into one object."""

from __future__ import annotations

from collections.abc import Callable

from app.errors import GatewayError
from app.relay.context import RequestContext
from app.streaming import frames
from app.streaming.events import Event
from app.streaming.fold_chat import ChatFold
from app.streaming.fold_responses import ResponsesFold
from app.translation.events.response_object import failed_response


class ChatFraming:
    """Frames chunks of a chat completion and `[DONE]`; `fold` makes one object of the chunks."""

    fold = ChatFold

    def frames(self, events: list[Event]) -> bytes:
        """Return *events*, which are not empty, as the client receives them."""
        return frames.chat_frames(events)

    def keepalive(self) -> bytes:
        """Return a comment that holds the connection open while nothing arrives."""
        return frames.COMMENT

    def end(self) -> bytes:
        """Return the bytes that follow the last event of a complete stream."""
        return frames.CHAT_DONE

    def error(self, error: GatewayError, context: RequestContext) -> bytes:
        """Return the error event that ends a broken stream."""
        return frames.chat_error(error.envelope())


class ResponsesFraming:
    """Frames numbered events of a response. A failure has the next number, a keep-alive repeats the last."""

    fold = ResponsesFold

    def __init__(self) -> None:
        self._response_id: str | None = None
        self._sequence_number = 0

    def frames(self, events: list[Event]) -> bytes:
        number = events[-1].payload.get("sequence_number")
        if type(number) is int:
            self._sequence_number = number
        if self._response_id is None:
            response = events[0].payload.get("response")
            response_id = response.get("id") if isinstance(response, dict) else None
            self._response_id = response_id if isinstance(response_id, str) else ""
        return frames.responses_frames(events)

    def keepalive(self) -> bytes:
        if self._response_id is None:
            return frames.COMMENT
        return frames.responses_keepalive(self._sequence_number)

    def end(self) -> bytes:
        return b""

    def error(self, error: GatewayError, context: RequestContext) -> bytes:
        request = context.request
        name = request.response_model
        response = failed_response(
            self._response_id or context.request_id,
            int(context.caller.key.now),
            {**request.body, "model": name} if name else request.body,
            error.envelope()["error"],
        )
        return frames.responses_failed(response, self._sequence_number + 1)


class CodexFraming(ResponsesFraming):
    """Frames Responses events as the ChatGPT backend does for its own clients."""

    def keepalive(self) -> bytes:
        return frames.COMMENT if self._response_id is None else frames.CODEX_KEEPALIVE

    def end(self) -> bytes:
        return frames.CHAT_DONE

    def error(self, error: GatewayError, context: RequestContext) -> bytes:
        return super().error(error, context) + frames.CHAT_DONE


_FRAMINGS: dict[str, Callable[[], ChatFraming | ResponsesFraming]] = {
    "chat": ChatFraming,
    "responses": ResponsesFraming,
    "responses/compact": ResponsesFraming,
}


def framing_for(context: RequestContext) -> ChatFraming | ResponsesFraming:
    """Return a new framing for the stream of *context*."""
    if context.options.keep_codex_events:
        return CodexFraming()
    return _FRAMINGS[context.request.client_protocol]()
