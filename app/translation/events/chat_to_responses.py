"""
Chat chunks -> Responses events.

The terminal event waits for what a chat stream sends after its `finish_reason`: usage, in a separate
chunk or never, and from some servers the arguments of calls that have none yet.

Lost in translation: choices other than the first, audio.

Source: https://platform.openai.com/docs/api-reference/chat-streaming and
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeGuard

from app.openai_types.responses import ResponseObject, ResponsesEvent, ResponsesItem
from app.streaming.chat_repair import PARTS
from app.streaming.delta_merge import join_texts, merge
from app.streaming.events import DONE, Event
from app.streaming.finish_reasons import COMPLETE, is_known
from app.streaming.usage import Usage, usage_from_chat
from app.streaming.usage_shapes import responses_usage
from app.translation.events.annotations import part_annotations, responses_annotations
from app.translation.events.mapped_calls import OpenCustomCall, OpenShellCall
from app.translation.events.response_items import OpenCall, OpenMessage
from app.translation.events.response_object import response_object
from app.translation.requests.carried_state import (
    REASONING_TEXT_KEYS,
    CarriedState,
    ReasoningKey,
    encode_state,
)
from app.translation.requests.chat_tool_names import CUSTOM, LOCAL_SHELL, ChatToolNames
from app.translation.requests.input_items import added_tools
from app.translation.requests.parts import as_list

Payload = dict[str, Any]

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
ENCRYPTED_REASONING = "reasoning.encrypted_content"
DETAILS = "reasoning_details"
LEGACY_CALL = "function_call"  # the key of the one call that has no index
ITEM_TEMPLATES: dict[str, ResponsesItem] = {
    "message": {"type": "message", "role": "assistant"},
    "reasoning": {"type": "reasoning", "summary": []},
}
ID_PREFIX = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "local_shell_call": "lsh",
}


class ChatToResponses:
    """
    Translates the chunks of one response.

    *request* is the client's Responses request: the response repeats its settings, and its tools
    give calls their names, namespaces and types back. *clock* returns when the
    response was completed, in Unix seconds.
    """

    def __init__(
        self, response_id: str, created_at: int, request: Payload, clock: Callable[[], float] | None = None
    ) -> None:
        self._response = response_object(response_id, created_at, request)
        self._clock = clock
        self._suffix = response_id.removeprefix("resp_")
        self._names = ChatToolNames(request.get("tools", []) + added_tools(as_list(request.get("input"))))
        # A client that stores nothing returns only encrypted reasoning.
        self._returns_text = request.get("store") is not False and ENCRYPTED_REASONING not in (
            request.get("include") or ()
        )
        self._open: dict[int, OpenMessage | OpenCall] = {}  # open items by output index
        self._current: OpenMessage | None = None  # the item that the next text extends
        self._current_type = ""
        self._reasoning_key: ReasoningKey = REASONING_TEXT_KEYS[0]
        self._has_reasoning_text = False  # whether reasoning came as text; it may come in details only
        self._reasoning_index: int | None = None  # output index of the open or the last reasoning item
        self._extras: dict[str, Any] = {}  # `extra_content` of calls, by call id
        self._details: Payload = {}  # merged details of the open reasoning item
        self._late_details: Payload = {}  # details that came while no reasoning item was open
        self._calls: dict[Any, tuple[str, OpenCall]] = {}  # (call id, item) by the tool index in chunks
        self._output: dict[int, ResponsesItem] = {}
        self._finish_reason = ""
        self._usage: Usage | None = None
        self._begun = self._ended = False
        self._sequence_number = 0
        self._out: list[Event] = []

    def translate(self, events: list[Event]) -> list[Event]:
        """Return the Responses events for the chunks in *events*."""
        for event in events:
            if self._ended:
                break
            if event is DONE:
                self._complete()
            elif not event.payload.get("error"):
                self._on_chunk(event.payload)
        return self._drain()

    def finish(self) -> list[Event]:
        self._complete()
        return self._drain()

    def _drain(self) -> list[Event]:
        out, self._out = self._out, []
        return out

    def _send(self, payloads: list[ResponsesEvent]) -> None:
        for payload in payloads:
            payload["sequence_number"] = self._sequence_number
            self._sequence_number += 1
            self._out.append(Event(payload))

    def _on_chunk(self, chunk: Payload) -> None:
        if not self._begun:
            self._begin(chunk)
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) == 0:
                self._on_choice(choice)
        usage = chunk.get("usage")
        if usage:
            self._usage = usage_from_chat(usage) or self._usage
            if self._finish_reason and not self._awaiting_arguments():
                self._complete()

    def _begin(self, chunk: Payload) -> None:
        self._begun = True
        self._response["model"] = chunk.get("model") or self._response["model"]
        self._response["service_tier"] = chunk.get("service_tier") or self._response["service_tier"]
        for kind in ("created", "in_progress"):
            self._send([{"type": f"response.{kind}", "response": {**self._response}}])

    def _on_choice(self, choice: Payload) -> None:
        delta = choice.get("delta")
        if delta:
            self._on_delta(delta, choice.get("logprobs"))
        if choice.get("finish_reason") and not self._finish_reason:
            self._finish_reason = _finish_reason_of(choice)
            self._close_items(self._awaiting_arguments())

    def _awaiting_arguments(self) -> list[int]:
        """Return the output indexes of calls without arguments, which may follow the finish reason."""
        if self._finish_reason not in COMPLETE:
            return []
        items = self._open.items()
        return [index for index, item in items if isinstance(item, OpenCall) and not item.has_payload]

    def _close_items(self, excepted: Collection[int] = ()) -> None:
        status = "completed" if self._finish_reason in COMPLETE else "incomplete"
        for index in list(self._open):
            if index not in excepted:
                self._close(index, status)
        self._current = None  # also if it is a message

    def _on_delta(self, delta: Payload, logprobs: Payload | None) -> None:
        details = delta.get(DETAILS)
        for key in REASONING_TEXT_KEYS:
            if key in delta and _is_text(delta[key]):
                self._reasoning_key, self._has_reasoning_text = key, True
                self._add_text("reasoning", "reasoning_text", delta[key], [])
                break
        else:
            if details and (text := _text_of(details)):
                self._add_text("reasoning", "reasoning_text", text, [])
        if details:
            self._add_details(details)
        content, refusal = delta.get("content"), delta.get("refusal")
        parts = delta.get(PARTS)
        before = len(self._current.text) if parts and self._current_type == "message" and self._current else 0
        if _is_text(content):
            self._add_text("message", "output_text", content, (logprobs or {}).get("content") or [])
        if _is_text(refusal):
            self._add_text("message", "refusal", refusal, [])
        if delta.get("annotations") and (citations := responses_annotations(delta["annotations"])):
            self._send(self._message("message").add_annotations(citations))
        if parts and (citations := part_annotations(parts, before)):
            self._send(self._message("message").add_annotations(citations))
        for position, call in enumerate(delta.get("tool_calls") or ()):
            self._on_call(call, position)
        if legacy := delta.get("function_call"):
            self._on_call({"index": LEGACY_CALL, "function": legacy}, 0)

    def _add_details(self, details: Any) -> None:
        """Remember *details* for the next turn, as those of the open reasoning or else of the response."""
        if not self._open and not self._output:
            self._message("reasoning")
        is_open = self._current is not None and self._current_type == "reasoning"
        if isinstance(details, list):
            merge(self._details if is_open else self._late_details, {DETAILS: details})

    def _add_text(self, item_type: str, part_type: str, text: str, logprobs: list[Payload]) -> None:
        self._send(self._message(item_type).add_text(part_type, text, logprobs))

    def _message(self, item_type: str) -> OpenMessage:
        """Return the open item of this type, or announce a new one."""
        if self._current is None or self._current_type != item_type:
            self._close_current()
            index = self._next_index()
            item_id = f"{ID_PREFIX[item_type]}_{self._suffix}_{index}"
            self._current = OpenMessage(item_id, index, ITEM_TEMPLATES[item_type])
            self._current_type = item_type
            self._open[index] = self._current
            self._reasoning_index = index if item_type == "reasoning" else None
            self._send(self._current.announce())
        return self._current

    def _close_current(self) -> None:
        if self._current is not None:
            self._close(self._current.output_index, "completed")
            self._current = None

    def _next_index(self) -> int:
        return len(self._open) + len(self._output)

    def _close(self, index: int, status: str) -> None:
        opened = self._open.pop(index)
        if index == self._reasoning_index and isinstance(opened, OpenMessage):
            self._carry_reasoning(opened)
        events, self._output[index] = opened.close(status)
        self._send(events)

    def _carry_reasoning(self, opened: OpenMessage) -> None:
        """Add the state of this reasoning that the next turn needs, unless the client returns it itself."""
        if self._details:
            details, self._details = join_texts(self._details)[DETAILS], {}
            state: CarriedState = {"details": details}
            if self._has_reasoning_text:
                state["key"] = self._reasoning_key
                if not self._returns_text and not _text_of(details):
                    state["text"] = opened.text
            opened.set_encrypted(encode_state(state))
        elif not self._returns_text:
            opened.set_encrypted(encode_state({"key": self._reasoning_key, "text": opened.text}))
        elif self._reasoning_key != REASONING_TEXT_KEYS[0]:
            opened.set_encrypted(encode_state({"key": self._reasoning_key}))

    def _send_extras(self) -> None:
        """Send a reasoning item with the state that the next turn must return and no other item carries."""
        index = self._next_index()
        opened = OpenMessage(
            f"{ID_PREFIX['reasoning']}_{self._suffix}_{index}", index, ITEM_TEMPLATES["reasoning"]
        )
        state: CarriedState = {"calls": self._extras} if self._extras else {}
        if self._late_details:
            state["late_details"] = join_texts(self._late_details)[DETAILS]
        opened.set_encrypted(encode_state(state))
        self._send(opened.announce())
        events, self._output[index] = opened.close("completed")
        self._send(events)

    def _on_call(self, call: Payload, position: int) -> None:
        """Start or continue a call; several may be open, distinguished by the chunks' tool index."""
        tool_index, call_id = call.get("index", position), call.get("id")
        function = call.get("function") or call.get("custom") or {}
        known = self._calls.get(tool_index)
        # The index is used again for another call
        if known is None or (call_id and call_id != known[0] and function.get("name")):
            known = self._calls[tool_index] = self._open_call(call, function)
        if call.get("extra_content"):
            self._extras[known[0]] = call["extra_content"]
        piece = function.get("arguments") or function.get("input")
        if _is_text(piece) and known[1].output_index in self._open:
            self._send(known[1].add_payload(piece))

    def _open_call(self, call: Payload, function: Payload) -> tuple[str, OpenCall]:
        self._close_current()
        index = self._next_index()
        ref = self._names.ref(function.get("name") or "")
        call_id = call.get("id") or f"call_{self._suffix}_{index}"
        item: ResponsesItem = {"type": "function_call", "call_id": call_id, "name": ref.name}
        opens = OpenCall
        if ref.kind == LOCAL_SHELL:
            item, opens = {"type": "local_shell_call", "call_id": call_id}, OpenShellCall
        elif ref.kind == CUSTOM or call.get("type") == "custom":
            item["type"] = "custom_tool_call"
            opens = OpenCall if call.get("type") == "custom" else OpenCustomCall
        if ref.namespace:
            item["namespace"] = ref.namespace
        opened = opens(f"{ID_PREFIX[item['type']]}_{self._suffix}_{index}", index, item)
        self._open[index] = opened
        self._send(opened.announce())
        return call_id, opened

    def _complete(self) -> None:
        """Send the terminal event, once, unless the stream had no `finish_reason`."""
        if self._ended or not self._finish_reason:
            return
        self._ended = True
        reason = None
        if self._finish_reason not in COMPLETE:
            reason = INCOMPLETE.get(self._finish_reason, self._finish_reason)
        status = "incomplete" if reason else "completed"
        self._close_items()
        if self._extras or self._late_details:
            self._send_extras()
        response: ResponseObject = {
            **self._response,
            "status": status,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": [self._output[index] for index in sorted(self._output)],
            "usage": responses_usage(self._usage),
        }
        if self._clock is not None and not reason:
            response["completed_at"] = max(int(self._clock()), response["created_at"])
        self._send([{"type": f"response.{status}", "response": response}])


def _finish_reason_of(choice: Payload) -> str:
    """Return the finish reason of *choice*; the upstream's own word where only that is the reason."""
    reason: str = choice["finish_reason"]
    native = choice.get("native_finish_reason")
    return (
        native
        if reason == "length" and isinstance(native, str) and native and not is_known(native)
        else reason
    )


def _text_of(details: Any) -> str:
    """Return the reasoning text in *details*, '' if it repeats a text that was shown already."""
    texts = [
        detail.get("text") or detail.get("summary")
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict)
    ]
    return "".join(text for text in texts if isinstance(text, str))


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""
