"""
Chat chunks -> Responses events.

The terminal event waits for the usage, which a chat stream reports after its
`finish_reason`: in a separate chunk, or never.

Lost in translation: choices other than the first, audio, annotations.

Source: https://platform.openai.com/docs/api-reference/chat-streaming and
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any, TypeGuard

from app.streaming.events import DONE, Event
from app.streaming.usage import Usage, usage_from_chat
from app.translation.events.response_items import OpenCall, OpenMessage
from app.translation.events.response_object import response_object
from app.translation.events.usage_shapes import responses_usage
from app.translation.requests.input_to_messages import added_tools
from app.translation.requests.parts import as_list
from app.translation.requests.tools import qualified_names
from app.translation.types.responses import ResponseObject, ResponsesEvent, ResponsesItem

Payload = dict[str, Any]

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
REASONING_KEYS = ("reasoning_content", "reasoning")  # of a delta, depending on the server
ITEM_TEMPLATES: dict[str, ResponsesItem] = {
    "message": {"type": "message", "role": "assistant"},
    "reasoning": {"type": "reasoning", "summary": []},
}
ID_PREFIX = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}


class ChatToResponses:
    """
    Translates the chunks of one answer.

    *request* is the client's Responses request: the response repeats its settings, and its
    namespaces split qualified tool names.
    """

    def __init__(self, response_id: str, created_at: int, request: Payload) -> None:
        self._response = response_object(response_id, created_at, request)
        self._suffix = response_id.removeprefix("resp_")
        self._names = qualified_names(request.get("tools", []) + added_tools(as_list(request.get("input"))))
        self._open: dict[int, OpenMessage | OpenCall] = {}  # by output index
        self._current: OpenMessage | None = None  # the item that the next text extends
        self._current_type = ""
        self._calls: dict[Any, tuple[str, OpenCall]] = {}  # by the chunks' tool index: (call id, item)
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
            elif "error" not in event.payload:
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
            if choice.get("index", 0) == 0 and not self._finish_reason:
                self._on_choice(choice)
        usage = chunk.get("usage")
        if usage:
            self._usage = usage_from_chat(usage) or self._usage
            if self._finish_reason:
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
        if choice.get("finish_reason"):
            self._finish_reason = choice["finish_reason"]
            status = "incomplete" if self._finish_reason in INCOMPLETE else "completed"
            for index in list(self._open):
                self._close(index, status)

    def _on_delta(self, delta: Payload, logprobs: Payload | None) -> None:
        for key in REASONING_KEYS:
            if key in delta and _is_text(delta[key]):
                self._add_text("reasoning", "reasoning_text", delta[key], [])
                break
        content, refusal = delta.get("content"), delta.get("refusal")
        if _is_text(content):
            self._add_text("message", "output_text", content, (logprobs or {}).get("content") or [])
        if _is_text(refusal):
            self._add_text("message", "refusal", refusal, [])
        for position, call in enumerate(delta.get("tool_calls") or ()):
            self._on_call(call, position)

    def _add_text(self, item_type: str, part_type: str, text: str, logprobs: list[Payload]) -> None:
        if self._current is None or self._current_type != item_type:
            self._close_current()
            index = self._next_index()
            item_id = f"{ID_PREFIX[item_type]}_{self._suffix}_{index}"
            self._current, self._current_type = (
                OpenMessage(item_id, index, ITEM_TEMPLATES[item_type]),
                item_type,
            )
            self._open[index] = self._current
            self._send(self._current.announce())
        self._send(self._current.add_text(part_type, text, logprobs))

    def _close_current(self) -> None:
        if self._current is not None:
            self._close(self._current.output_index, "completed")
            self._current = None

    def _next_index(self) -> int:
        return len(self._open) + len(self._output)

    def _close(self, index: int, status: str) -> None:
        events, self._output[index] = self._open.pop(index).close(status)
        self._send(events)

    def _on_call(self, call: Payload, position: int) -> None:
        """Start or continue a call; several may be open, distinguished by the chunks' tool index."""
        tool_index, call_id = call.get("index", position), call.get("id")
        function = call.get("function") or call.get("custom") or {}
        known = self._calls.get(tool_index)
        if known is None or (call_id and call_id != known[0] and function.get("name")):  # a reused index
            known = self._calls[tool_index] = self._open_call(call, function)
        piece = function.get("arguments") or function.get("input")
        if _is_text(piece):
            self._send(known[1].add_payload(piece))

    def _open_call(self, call: Payload, function: Payload) -> tuple[str, OpenCall]:
        self._close_current()
        index = self._next_index()
        kind = "custom_tool_call" if call.get("type") == "custom" else "function_call"
        call_id = call.get("id") or f"call_{self._suffix}_{index}"
        item: ResponsesItem = {
            "type": kind,
            "call_id": call_id,
            **self._name_fields(function.get("name") or ""),
        }
        opened = self._open[index] = OpenCall(f"{ID_PREFIX[kind]}_{self._suffix}_{index}", index, item)
        self._send(opened.announce())
        return call_id, opened

    def _name_fields(self, name: str) -> ResponsesItem:
        if name not in self._names:
            return {"name": name}
        namespace, name_in_namespace = self._names[name]
        return {"name": name_in_namespace, "namespace": namespace}

    def _complete(self) -> None:
        """Send the terminal event, once, unless the stream had no `finish_reason`."""
        if self._ended or not self._finish_reason:
            return
        self._ended = True
        reason = INCOMPLETE.get(self._finish_reason)
        status = "incomplete" if reason else "completed"
        response: ResponseObject = {
            **self._response,
            "status": status,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": [self._output[index] for index in sorted(self._output)],
            "usage": responses_usage(self._usage),
        }
        self._send([{"type": f"response.{status}", "response": response}])


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""
