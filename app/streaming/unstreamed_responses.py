"""
Responses that an upstream sends as one object: what readers observe, and what the client receives.

The fields of the object are passed on unchanged. Fields that the protocol requires are added where a server
omits them.

Source: https://platform.openai.com/docs/api-reference/chat/object and
https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from app.errors import UpstreamProtocolError
from app.streaming.events import DONE, Event, UnstreamedResponse
from app.streaming.progress import Stage
from app.streaming.response_repair import lacks_payload, with_payload
from app.streaming.unfold import (
    NOT_A_RESPONSE,
    choices_in,
    error_event,
    number_choices,
    object_in,
    terminal_event_type,
    with_empty_output,
    with_numbered_calls,
)


class EventReader(Protocol):
    """Observes the events of a stream."""

    has_calls: Any

    def observe(self, event: Event) -> Stage: ...

    def held_end(self) -> Event | None: ...


Identity = Callable[[], dict[str, Any]]  # returns the identifying fields of a completion that lacks them


def unstreamed_completion(payload: Any, data: bytes | None, reader: EventReader, identity: Identity) -> Event:
    """
    Return the event of a `chat.completion`, or of the error that was sent in its place.

    *data* is its JSON, None if it has to be encoded again. Deviations are repaired by the reader, as in
    streams. Raises UpstreamProtocolError.
    """
    payload = object_in(payload)
    if (error := error_event(payload)) is not None:
        reader.observe(error)
        return error
    if not (choices := choices_in(payload)):
        raise UpstreamProtocolError(NOT_A_RESPONSE)
    is_changed = choices is not payload.get("choices")
    payload["choices"] = choices
    is_changed |= number_choices(choices)
    streamed = [_streamed_choice(choice) for choice in choices]
    chunk = Event({**payload, "choices": streamed})
    reader.observe(chunk)
    reader.observe(DONE)
    is_changed |= _set_missing(payload, "object", "chat.completion")
    if not (payload.get("id") and payload.get("created") and payload.get("model")):
        is_changed = True
        payload.update({key: payload.get(key) or value for key, value in identity().items()})
    if (repaired := chunk.payload.get("choices")) is not streamed and isinstance(repaired, list):
        payload["choices"] = choices = [_unstreamed_choice(choice) for choice in repaired]
        is_changed = True
    if (held := reader.held_end()) is not None:
        ends = {end["index"]: end for end in held.payload["choices"]}
        for choice in choices:
            choice |= {key: value for key, value in ends.get(choice["index"], {}).items() if key != "delta"}
    if (usage := chunk.payload.get("usage")) is not payload.get("usage"):
        payload["usage"], is_changed = usage, True
    for choice in choices:
        is_changed |= _complete_choice(choice)
    return UnstreamedResponse(payload, None if is_changed else data)


def unstreamed_response(payload: Any, data: bytes | None, reader: EventReader, identity: Identity) -> Event:
    """
    Return the event of a `response`, or of the error that was sent in its place.

    The reader observes it as the last event of a stream, and repairs it. *data* is its JSON, None where that
    has to be encoded again. Raises UpstreamProtocolError.
    """
    payload = object_in(payload)
    if (error := error_event(payload)) is not None:
        reader.observe(error)
        return error
    if not isinstance(payload.get("output"), list):
        payload, data = with_empty_output(payload), None
    status = "failed" if payload.get("error") else payload.get("status")
    end = Event({"type": terminal_event_type(status), "response": payload})
    reader.observe(end)
    is_changed = (repaired := end.payload["response"]) is not payload
    payload = repaired
    if any(map(lacks_payload, payload["output"])):
        output = [with_payload(item) if lacks_payload(item) else item for item in payload["output"]]
        payload, is_changed = {**payload, "output": output}, True
    is_changed |= _set_missing(payload, "object", "response")
    is_changed |= _set_missing(payload, "usage", None) | _set_missing(payload, "error", None)
    return UnstreamedResponse(payload, None if is_changed else data)


UNSTREAMED_RESPONSES: Mapping[str, Callable[[Any, bytes | None, EventReader, Identity], Event]] = {
    "chat": unstreamed_completion,
    "responses": unstreamed_response,
}


def _streamed_choice(choice: dict[str, Any]) -> dict[str, Any]:
    """Return *choice* as it would be in a stream of one chunk, so that readers observe both alike."""
    message = choice.get("message")
    if not isinstance(message, dict):
        raise UpstreamProtocolError(NOT_A_RESPONSE)
    delta = with_numbered_calls(message)
    return {"delta": delta, **{key: value for key, value in choice.items() if key != "message"}}


def _unstreamed_choice(choice: dict[str, Any]) -> dict[str, Any]:
    """Return *choice* of a chunk, as the reader repaired it, in the form of a completion."""
    message = choice["delta"]
    if calls := message.get("tool_calls"):
        calls = [{key: value for key, value in call.items() if key != "index"} for call in calls]
        message = {**message, "tool_calls": calls}
    return {**{key: value for key, value in choice.items() if key != "delta"}, "message": message}


def _complete_choice(choice: dict[str, Any]) -> bool:
    """Add the required fields that a choice lacks; return whether anything was changed."""
    message = choice["message"]
    is_changed = _set_missing(choice, "finish_reason", None) | _set_missing(choice, "logprobs", None)
    is_changed |= _set_missing(message, "role", "assistant") | _set_missing(message, "refusal", None)
    if "tool_calls" in message and not message["tool_calls"]:
        del message["tool_calls"]
        is_changed = True
    if "content" not in message:
        replaces_content = any(map(message.get, ("tool_calls", "refusal", "function_call", "audio")))
        message["content"] = None if replaces_content else ""
        is_changed = True
    return is_changed


def _set_missing(holder: dict[str, Any], key: str, value: Any) -> bool:
    """Set *key* to *value* if it is absent or wrongly null; return whether it was set."""
    present = holder.get(key)
    if present is not None or (value is None and key in holder):
        return False
    holder[key] = value
    return True
