"""
Unfold a complete response into the events of a stream, for upstreams that do not stream.

Source: https://platform.openai.com/docs/api-reference/chat/object and
https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.errors import UpstreamProtocolError
from app.streaming.events import DONE, Event
from app.streaming.upstream_errors import has_failed_base, has_message, reports_error

Payload = dict[str, Any]

MAX_CHOICES = 1024  # `n` is at most 128
MAX_CALLS = 10_000  # in all choices together; each takes some microseconds

_CHOICE_KEYS = frozenset(("index", "delta", "message", "finish_reason"))
NOT_A_RESPONSE = "The upstream answered with an object that is not a response"
_TERMINAL_EVENTS = {  # by the status of a response; without a status it is complete
    None: "response.completed",
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.failed",
}


def object_in(payload: Any) -> Payload:
    """Return the object of a response; some servers wrap it, or the error in its place, in a list."""
    if isinstance(payload, list) and len(payload) == 1:
        payload = payload[0]  # as Gemini's compatible endpoint does
    if not isinstance(payload, dict):
        raise UpstreamProtocolError("The upstream answered with JSON that is not an object")
    return payload


def error_event(payload: Payload) -> Event | None:
    """Return the event of an error that was sent in place of a response; None if *payload* is a response."""
    error = payload.get("error")
    if has_failed_base(payload):
        payload, is_error = {name: value for name, value in payload.items() if name != "choices"}, True
    elif "choices" in payload or "output" in payload:
        is_error = bool(error) and not payload.get("choices") and not payload.get("output")
    else:
        is_error = reports_error(payload) or has_message(payload)
    if not is_error:
        return None
    return Event(payload if payload.get("type") == "error" else {**payload, "type": "error"})


def choices_in(payload: Payload) -> list[Payload]:
    """Return the choices of a completion. Raises UpstreamProtocolError for none or more than MAX_CHOICES."""
    choices = payload.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        choices = list_of_choices(choices)
        if not choices:
            raise _not_a_response()
    calls = 0
    for choice in choices:
        message = choice.get("message")
        listed = message.get("tool_calls") if isinstance(message, dict) else None
        calls += len(listed) if isinstance(listed, list) else 0
    if len(choices) > MAX_CHOICES or calls > MAX_CALLS:
        raise UpstreamProtocolError("The upstream answered with too many choices or tool calls")
    return choices


def list_of_choices(choices: Any) -> list[Payload]:
    """Return the value of `choices` as a list; a single choice becomes a list of one."""
    if isinstance(choices, dict) and choices.keys() & _CHOICE_KEYS:
        return [choices]
    listed = choices if isinstance(choices, list) else ()
    return [choice for choice in listed if isinstance(choice, dict)]


def number_choices(choices: list[Payload]) -> bool:
    """Number *choices* by position if their indexes are missing or equal; return whether they were."""
    indexes = {index for choice in choices if type(index := choice.get("index")) is int}
    if len(indexes) == len(choices):
        return False
    for position, choice in enumerate(choices):
        choice["index"] = position
    return True


def with_numbered_calls(message: Payload) -> Payload:
    """Return *message* with the indexes that its calls would have in a stream."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    numbered = [
        {**call, "index": number} if isinstance(call, dict) else call for number, call in enumerate(calls)
    ]
    return {**message, "tool_calls": numbered}


def unfold_completion(payload: Payload) -> list[Event]:
    """
    Return the chunks of a `chat.completion`. Raises UpstreamProtocolError for another object.

    Each choice is one chunk with its message, which the reader of the stream makes a delta, and
    one with its finish_reason.
    """
    choices = choices_in(payload)
    frame = {**payload, "object": "chat.completion.chunk"}
    usage = frame.pop("usage", None)
    events = []
    number_choices(choices)
    for choice in choices:
        index = choice["index"]
        end: Payload = {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason")}
        end |= {key: value for key, value in choice.items() if key not in ("message", "logprobs", "index")}
        begun: Payload = {"index": index, "logprobs": choice.get("logprobs"), "finish_reason": None}
        message = choice.get("message")
        if not isinstance(message, dict):
            raise _not_a_response()
        begun["delta"] = {"role": "assistant", **with_numbered_calls(message)}
        events += [Event({**frame, "choices": [begun]}), Event({**frame, "choices": [end]})]
    if usage is not None:
        events.append(Event({**frame, "choices": [], "usage": usage}))
    return [*events, DONE]


def unfold_response(payload: Payload) -> list[Event]:
    """
    Return the first and the last event of a `response`; translators add those between them.

    Raises UpstreamProtocolError for another object, and for a response that is not finished.
    """
    if not isinstance(payload.get("output"), list):
        payload = with_empty_output(payload)
    kind = terminal_event_type(payload.get("status"))
    begun = {**payload, "status": "in_progress", "output": [], "usage": None}
    return [
        Event({"type": "response.created", "sequence_number": 0, "response": begun}),
        Event({"type": kind, "sequence_number": 1, "response": payload}),
    ]


def with_empty_output(payload: Payload) -> Payload:
    """Return *payload*, completed with the output null, with an empty one. Raises UpstreamProtocolError."""
    if payload.get("output", "") is None and payload.get("status") == "completed":
        return {**payload, "output": []}
    raise _not_a_response()


def terminal_event_type(status: Any) -> str:
    """Return the type of the last event of a response with *status*. Raises UpstreamProtocolError."""
    kind = _TERMINAL_EVENTS.get(status) if isinstance(status, str | None) else None
    if kind is None:
        raise UpstreamProtocolError("The upstream answered with a response that is not finished")
    return kind


UNFOLD: Mapping[str, Callable[[Payload], list[Event]]] = {
    "chat": unfold_completion,
    "responses": unfold_response,
}


def _not_a_response() -> UpstreamProtocolError:
    return UpstreamProtocolError(NOT_A_RESPONSE)
