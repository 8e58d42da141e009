"""
Responses events -> chat chunks.

Lost in translation: reasoning (unless *include_reasoning*), annotations other than citations of
addresses, the actions of hosted tools, and the boundaries of messages and parts.

Source: https://platform.openai.com/docs/api-reference/responses-streaming and
https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.streaming.events import Event
from app.streaming.usage import usage_from_responses
from app.streaming.usage_shapes import chat_logprobs, chat_usage
from app.translation.events.annotations import chat_annotations
from app.translation.events.call_chunks import CALL_TYPES, CallChunks
from app.translation.events.item_ids import ItemIds
from app.translation.events.seen_parts import SeenParts

Payload = dict[str, Any]

TEXT_KEYS = {
    "output_text": ("content", "text"),
    "refusal": ("refusal", "refusal"),
}  # key in a delta, in a part
COMMENTARY = "commentary"  # the phase of messages before the final one
LENGTH_REASONS = ("max_output_tokens", "max_tokens")


class ResponsesToChat:
    """
    Translates the events of one response to chunks of choice 0.

    Deltas are passed on. Snapshots (`done` events, the final response) only add what no delta
    contained. With *legacy_functions* a call becomes the deprecated `function_call`, as a
    request with `functions` expects; further ones, which it does not allow, are tool calls. With
    *include_reasoning*, reasoning is sent as other gateways do, in `reasoning` and
    `reasoning_details`. With *is_formatted*, as a request for JSON is, comments that the model
    makes before its final message are left out: they are not JSON.
    """

    def __init__(
        self,
        chunk_id: str,
        created_at: int,
        model: str | None,
        include_usage: bool,
        *,
        legacy_functions: bool = False,
        include_reasoning: bool = False,
        is_formatted: bool = False,
    ) -> None:
        self._frame: Payload = {"id": chunk_id, "object": "chat.completion.chunk", "created": created_at}
        self._frame["model"] = model
        self._tail: Payload = {"usage": None} if include_usage else {}
        self._include_reasoning = include_reasoning
        self._is_formatted = is_formatted
        self._comments = SeenParts()  # comments that are left out
        self._cited = SeenParts()  # parts whose annotations were sent
        self._follows_comment = False
        self._separator = ""  # text to send before the next text
        self._begun = self._ended = False
        self._seen = SeenParts()
        self._ids = ItemIds()
        self._lacks_places = False  # whether deltas lack the indexes of their items or parts
        self._calls = CallChunks(self._ids, self._send, legacy_functions=legacy_functions)
        self._encrypted_sent: set[Any] = set()  # output indexes of reasoning items that were sent
        self._out: list[Event] = []

    def translate(self, events: list[Event]) -> list[Event]:
        """Return the chunks for the Responses events in *events*."""
        for event in events:
            handler = _HANDLERS.get(event.type)
            if handler is not None and not self._ended:
                handler(self, event.payload)
        out, self._out = self._out, []
        return out

    def finish(self) -> list[Event]:
        return []

    def _send(self, delta: Payload, finish: str | None = None, logprobs: Payload | None = None) -> None:
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", **delta}
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        if logprobs is not None:
            choice["logprobs"] = logprobs
        self._out.append(Event({**self._frame, "choices": [choice], **self._tail}))

    def _on_opening(self, payload: Payload) -> None:
        if self._frame["model"] is None:
            self._frame["model"] = (payload.get("response") or {}).get("model")

    # text and refusals

    def _on_text(self, payload: Payload) -> None:
        delta = payload.get("delta")
        if delta and isinstance(delta, str) and not (self._comments and self._is_comment(payload)):
            self._mark(payload)
            tokens = payload.get("logprobs")
            logprobs = {"content": chat_logprobs(tokens), "refusal": None} if tokens else None
            if self._separator:
                delta, self._separator = self._separator + delta, ""
            self._send({"content": delta}, logprobs=logprobs)

    def _on_refusal(self, payload: Payload) -> None:
        delta = payload.get("delta")
        if delta and isinstance(delta, str):
            self._mark(payload)
            self._send({"refusal": delta})

    def _mark(self, payload: Payload) -> None:
        """Remember that the part of a delta was sent."""
        if self._lacks_places:
            self._seen.mark(self._ids.with_place(payload))
        elif self._seen.mark(payload):  # this is the first delta of a part
            placed = self._ids.with_place(payload)
            if placed is not payload:
                self._lacks_places = True
                self._seen.mark(placed)

    def _on_text_done(self, payload: Payload) -> None:
        payload = self._ids.with_place(payload)
        self._send_snapshot({**payload, "type": "output_text"}, payload)

    def _on_refusal_done(self, payload: Payload) -> None:
        payload = self._ids.with_place(payload)
        self._send_snapshot({**payload, "type": "refusal"}, payload)

    def _on_part_done(self, payload: Payload) -> None:
        self._send_snapshot(payload.get("part"), self._ids.with_place(payload))

    def _send_snapshot(self, part: Any, position: Payload) -> None:
        """Send the text of *part*, at *position* in the response, unless its deltas were sent."""
        if not isinstance(part, dict) or part.get("type") not in tuple(TEXT_KEYS):
            return
        if part.get("annotations") and position not in self._cited and not self._is_comment(position):
            self._send_annotations(part["annotations"], position)
        key, text_key = TEXT_KEYS[part["type"]]
        text = part.get(text_key)
        if text and isinstance(text, str) and position not in self._seen and not self._is_comment(position):
            self._seen.mark(position)
            tokens = part.get("logprobs") if key == "content" else None
            logprobs = {"content": chat_logprobs(tokens), "refusal": None} if tokens else None
            if key == "content":
                text, self._separator = self._separator + text, ""
            self._send({key: text}, logprobs=logprobs)

    def _on_annotation(self, payload: Payload) -> None:
        if not self._is_comment(payload):
            self._send_annotations([payload.get("annotation")], payload)

    def _send_annotations(self, annotations: Any, position: Payload) -> None:
        """Send the citations of addresses in *annotations*; chat has no others."""
        self._cited.mark(position)
        nested = chat_annotations(annotations)
        if nested:
            self._send({"annotations": nested})

    def _is_comment(self, position: Payload) -> bool:
        return bool(self._comments) and {**position, "content_index": 0} in self._comments

    def _on_message(self, item: Payload, output_index: Any) -> None:
        """Note a message that begins. Another message follows a comment after a blank line."""
        is_comment = item.get("phase") == COMMENTARY
        if is_comment and self._is_formatted:
            if item.get("id") is not None or output_index is not None:
                self._comments.mark({"item_id": item.get("id"), "output_index": output_index})
            return
        if self._follows_comment and self._seen:
            self._separator = "\n\n"
        self._follows_comment = is_comment

    # reasoning

    def _on_reasoning(self, payload: Payload) -> None:
        delta = payload.get("delta")
        if self._include_reasoning and delta and isinstance(delta, str):
            kind = "text" if payload["type"] == "response.reasoning_text.delta" else "summary"
            position = {"id": payload.get("item_id"), "index": 2 * (payload.get("output_index") or 0)}
            detail = {**position, "type": f"reasoning.{kind}", kind: delta}
            self._send({"reasoning": delta, "reasoning_details": [detail]})

    def _send_encrypted_reasoning(self, item: Payload, output_index: Any) -> None:
        if (
            self._include_reasoning
            and item.get("encrypted_content")
            and output_index not in self._encrypted_sent
        ):
            self._encrypted_sent.add(output_index)
            position = {"id": item.get("id"), "index": 2 * (output_index or 0) + 1}
            detail = {**position, "type": "reasoning.encrypted", "data": item["encrypted_content"]}
            self._send({"reasoning_details": [detail]})

    # calls

    def _on_item_added(self, payload: Payload) -> None:
        if not isinstance(payload.get("item"), dict):
            return
        event = Event(payload)
        if type(payload.get("output_index")) is int:
            self._ids.repaired(event)
        else:
            payload = self._ids.placed(event).payload
        item = payload["item"]
        if item.get("type") in CALL_TYPES:
            self._calls.begin(item, payload.get("output_index"))
        elif item.get("type") == "message":
            self._on_message(item, payload.get("output_index"))

    def _on_item_done(self, payload: Payload) -> None:
        if isinstance(payload.get("item"), dict):
            payload = self._ids.with_place(payload)
            self._finish_item(payload["item"], payload["output_index"])

    def _finish_item(self, item: Payload, output_index: Any) -> None:
        if item.get("type") == "message":
            if item.get("phase") == COMMENTARY and self._is_formatted:
                return
            for index, part in enumerate(item.get("content") or ()):
                position = {"item_id": item.get("id"), "output_index": output_index, "content_index": index}
                self._send_snapshot(part, position)
        elif item.get("type") in CALL_TYPES:
            self._calls.complete(item, output_index)
        elif item.get("type") == "reasoning":
            self._send_encrypted_reasoning(item, output_index)

    def _on_arguments(self, payload: Payload) -> None:
        self._calls.add_arguments(payload)

    def _on_arguments_done(self, payload: Payload) -> None:
        self._calls.complete_arguments(payload)

    def _on_preview_call(self, payload: Payload) -> None:
        self._calls.add_preview(payload)

    # the end

    def _on_completed(self, payload: Payload) -> None:
        self._finish_response(payload, self._calls.finish_reason, "stop")

    def _on_incomplete(self, payload: Payload) -> None:
        details = (payload.get("response") or {}).get("incomplete_details") or {}
        reason = details.get("reason")
        length = "length" if reason in LENGTH_REASONS else "stop"
        finish_reason = "content_filter" if reason == "content_filter" else length
        # The last call may lack its end, so the calls must not seem complete.
        self._finish_response(payload, "length" if finish_reason == "stop" else finish_reason, finish_reason)

    def _finish_response(self, payload: Payload, call_reason: str, finish_reason: str) -> None:
        """Send what only the final response has, then the end, with *call_reason* if there are calls."""
        response = payload.get("response") or {}
        self._on_opening(payload)
        is_silent = not self._seen
        for index, item in enumerate(response.get("output") or ()):
            if is_silent or item.get("type") in CALL_TYPES:
                self._finish_item(item, index)
        self._calls.complete_all()
        if not self._begun:
            self._send({"content": ""})
        if response.get("service_tier"):
            self._frame["service_tier"] = response["service_tier"]
        if self._calls:
            is_cut_short = finish_reason == "stop" and self._calls.has_cut_call
            finish_reason = "length" if is_cut_short else call_reason
        self._send({}, finish_reason)
        if self._tail:
            usage = chat_usage(usage_from_responses(response.get("usage")))
            self._out.append(Event({**self._frame, "choices": [], "usage": usage}))
        self._ended = True


_HANDLERS: dict[str, Callable[[ResponsesToChat, Payload], None]] = {
    "response.created": ResponsesToChat._on_opening,
    "response.in_progress": ResponsesToChat._on_opening,
    "response.output_text.delta": ResponsesToChat._on_text,
    "response.text.delta": ResponsesToChat._on_text,
    "response.output_text.done": ResponsesToChat._on_text_done,
    "response.output_text.annotation.added": ResponsesToChat._on_annotation,
    "response.text.done": ResponsesToChat._on_text_done,
    "response.refusal.delta": ResponsesToChat._on_refusal,
    "response.refusal.done": ResponsesToChat._on_refusal_done,
    "response.content_part.done": ResponsesToChat._on_part_done,
    "response.output_item.added": ResponsesToChat._on_item_added,
    "response.output_item.done": ResponsesToChat._on_item_done,
    "response.reasoning_summary_text.delta": ResponsesToChat._on_reasoning,
    "response.reasoning_text.delta": ResponsesToChat._on_reasoning,
    "response.function_call_arguments.delta": ResponsesToChat._on_arguments,
    "response.function_call_arguments.done": ResponsesToChat._on_arguments_done,
    "response.custom_tool_call_input.delta": ResponsesToChat._on_arguments,
    "response.custom_tool_call_input.done": ResponsesToChat._on_arguments_done,
    "response.function_call.delta": ResponsesToChat._on_preview_call,
    "response.output_tool_call.delta": ResponsesToChat._on_preview_call,
    "response.completed": ResponsesToChat._on_completed,
    "response.incomplete": ResponsesToChat._on_incomplete,
}
