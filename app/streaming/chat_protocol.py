"""
Read the chunks of a chat stream: progress, usage, failures, and the end.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from typing import Any

from app.errors import UpstreamRejected
from app.streaming.chat_repair import ChatRepair, choice_usage, delta_of
from app.streaming.counting import delta_bytes, text_bytes
from app.streaming.events import DONE, Event
from app.streaming.finish_reasons import COMPLETE, FINISH_REASONS, is_broken_off, is_known
from app.streaming.progress import Stage
from app.streaming.text_chunks import TextChunk
from app.streaming.tool_call_repair import number_of
from app.streaming.unfold import list_of_choices
from app.streaming.upstream_errors import has_failed_base, rejection_from_event, reports_error
from app.streaming.usage import Usage, usage_from_chat
from app.streaming.usage_shapes import chat_usage, usage_for_chat
from schemas import bounds

CHUNK, COMPLETION = "chat.completion.chunk", "chat.completion"


class ChatReader:
    """
    Observes one chat stream, and repairs chunks that deviate from the API: their events change.

    The response is complete at `[DONE]`, or at the usage chunk once every choice has its
    finish_reason: some upstreams never send the sentinel. `finish` is the first choice's.
    `output_bytes` counts the UTF-8 bytes of all model output, `deltas` its pieces. `usage` is
    the latest report; some servers send one with every chunk.

    A finish reason that comes while the arguments of a call are cut inside their JSON waits for the
    end of the stream, since some servers send the rest after it: without the rest it is `length`. Calls
    that begin after `stop` make the end `tool_calls`.

    MiniMax ends a stream with an object of another type, `chat.completion`, that repeats the response:
    what it repeats is not passed on. Only that type, and a `message` after deltas, show a repetition;
    a delta that begins with the text so far may be a model's own (and MiniMax has sent both kinds).
    """

    def __init__(self, choices: int = 1, *, is_call_forced: bool = False, tools: Any = None) -> None:
        """
        *choices* is the requested number; an upstream that sends fewer has to send `[DONE]`.

        With *is_call_forced* the request names the tool to call, so that a response with calls
        may end with `stop`. Otherwise that is a deviation (Gemini). *tools* are those of the request,
        None if they are not known.
        """
        self._choices = choices
        self._is_call_forced = is_call_forced
        self.unknown_usage: Any = None  # a reported usage that has no known count
        self.usage: Usage | None = None
        self.model: str | None = None
        self.response_id: str | None = None
        self.service_tier: str | None = None  # the billed tier, which may differ from the requested one
        self.error: UpstreamRejected | None = None
        self.finish: str | None = None
        self.output_bytes = 0
        self.deltas = 0
        self.has_calls = False  # whether a tool was called
        self._reasons: dict[int, str | None] = {}  # finish reason by choice; "" for an unknown word
        self._held_ends: dict[int, str] = {}  # finish reasons, by choice, that came while a call was cut
        self._ended = False
        self._usage_is_final = False
        self._object: Any = None  # the type of the first chunk
        self._repair = ChatRepair(tools)
        self._repaired: dict[int, dict[str, Any]] = {}  # choices of the current chunk, by position

    def observe(self, event: Event) -> Stage:
        """Read one event; events after a terminal one have no effect."""
        payload = event.payload
        choices = payload.get("choices")
        if self._ended or event is DONE or payload.get("error") or (choices is None and _is_error(payload)):
            return self._end(payload)
        if self.response_id is None:
            self.response_id = bounds.text(payload.get("id"))
            self.model = bounds.text(payload.get("model"))
            self.service_tier = bounds.text(payload.get("service_tier"))
            self._object = payload.get("object")
        if (usage := payload.get("usage")) is not None:
            payload = self._observe_usage(usage, event)
        if type(choices) is not list and "choices" in payload:
            choices = list_of_choices(choices)
            payload = event.payload = {**payload, "choices": choices}
            event.data = None
        if not choices:
            return self._observe_without_choices(payload, event, has_usage=bool(usage))
        produced = False
        if payload.get("object") == COMPLETION and self._object != COMPLETION:
            if self.deltas:
                choices = [self._without_repetition(choice) for choice in choices]
            payload = event.payload = {**payload, "object": CHUNK, "choices": choices}
            event.data = None
        if "finish_reason" in payload:
            choices = _with_reason(choices, payload["finish_reason"])
            event.payload, event.data = {**payload, "choices": choices}, None
        for position, choice in enumerate(choices):
            if isinstance(choice, dict):
                produced |= self._observe_choice(choice, position)
                if choice.get("finish_reason") and not usage and (usage := choice_usage(payload, choice)):
                    event.payload, event.data = {**event.payload, "usage": usage}, None
                    self._observe_usage(usage, event)
            else:
                self._repaired[position] = {}
        if self._repaired:
            self._replace_repaired(event, choices)
        if self.error is not None:
            self._ended = True
            return Stage.TERMINAL
        if usage and self.can_end():
            self._usage_is_final = True
        return Stage.PROGRESS if produced else Stage.QUIET

    def observe_texts(self, chunks: list[TextChunk]) -> None:
        """Count *chunks* that differ from an observed one only in their text, which is not empty."""
        self.deltas += len(chunks)
        for chunk in chunks:
            self.output_bytes += chunk.text_bytes

    def _observe_without_choices(self, payload: dict[str, Any], event: Event, *, has_usage: bool) -> Stage:
        """Observe a chunk that has no choices, such as the final usage."""
        if has_failed_base(payload):
            return self._end(payload)
        if has_usage and self.can_end():
            self._usage_is_final = True
            if (held := self.held_end()) is not None:
                event.payload, event.data = {**payload, "choices": held.payload["choices"]}, None
            return self._end(payload)
        return Stage.QUIET

    def _replace_repaired(self, event: Event, choices: list[Any]) -> None:
        """Replace the *choices* of *event* by the repaired ones, without those that are left empty."""
        repaired = [self._repaired.get(position, choice) for position, choice in enumerate(choices)]
        event.payload = {**event.payload, "choices": [choice for choice in repaired if choice]}
        event.data = None
        self._repaired = {}

    @property
    def reported_usage(self) -> Usage | None:
        """The usage that was reported at or after the end of the response, else None."""
        return self.usage if self._usage_is_final else None

    def can_end(self) -> bool:
        """Return whether the stream is complete if it ends now: every choice has its finish_reason."""
        if self._ended or self.finish is None:
            return self._ended
        return len(self._reasons) >= self._choices and all(self._reasons.values())

    def open_choices(self) -> list[int]:
        """Return the indexes of the choices that have begun and whose finish reason was not passed on."""
        return [
            index for index, reason in self._reasons.items() if reason is None or index in self._held_ends
        ]

    @property
    def is_unfinished(self) -> bool:
        """Whether a choice that has begun lacks its finish reason, even if the upstream ends its stream."""
        return self.finish is None or any(
            self._reasons.get(index, "") is None for index in range(self._choices)
        )

    def held_end(self) -> Event | None:
        """Return, only once, the chunk of finish reasons that waited for the end of the stream, or None."""
        if self.has_calls and not self._is_call_forced:
            for index, reason in self._reasons.items():
                if reason == "stop" and self._repair.has_calls(index):  # the calls began after the reason
                    self._reasons[index] = self._held_ends[index] = "tool_calls"
        if not self._held_ends:
            return None
        choices: list[dict[str, Any]] = []
        for index, reason in self._held_ends.items():
            end: dict[str, Any] = {"index": index, "delta": {}, "finish_reason": reason}
            if self._repair.has_cut_call(index):
                end |= {"finish_reason": "length", "native_finish_reason": reason}
            if index == 0 or self.finish is None:
                self.finish = end["finish_reason"]
            choices.append(end)
        self._held_ends = {}
        return Event({"object": CHUNK, "choices": choices})

    def _end(self, payload: dict[str, Any]) -> Stage:
        if not self._ended:
            if _is_error(payload) or has_failed_base(payload):
                self.error = rejection_from_event(payload)
                error_usage = usage_from_chat(payload.get("usage"))
                self.usage, self._usage_is_final = error_usage or self.usage, error_usage is not None
            else:
                self._usage_is_final = self.usage is not None
        self._ended = True
        return Stage.TERMINAL

    def _observe_usage(self, usage: Any, event: Event) -> dict[str, Any]:
        """Note the *usage* of *event*, and return the payload with it repaired."""
        payload = event.payload
        parsed = usage_from_chat(usage)
        if parsed is None:
            self.unknown_usage = usage or self.unknown_usage
        elif parsed.total_tokens or self.usage is None:
            self.usage = parsed
        else:  # some servers report zeros at the end
            payload = event.payload = {**payload, "usage": chat_usage(self.usage)}
            event.data = None
            return payload
        self.service_tier = bounds.text(payload.get("service_tier")) or self.service_tier
        if (repaired := usage_for_chat(usage, parsed)) is not usage:
            payload = event.payload = {**payload, "usage": repaired}
            event.data = None
        return payload

    def _observe_choice(self, choice: dict[str, Any], position: int) -> bool:
        """Observe one choice; return whether it produced anything."""
        index, reason, delta = choice.get("index"), choice.get("finish_reason"), choice.get("delta")
        if (
            type(index) is not int
            or (reason is not None and (type(reason) is not str or self._is_odd_end(index, reason)))
            or type(delta) is not dict
        ):
            return self._observe_repaired(choice, position)
        produced = has_other = False
        for key, value in delta.items():
            if value and key != "role":
                produced = True
                if key == "content" and type(value) is str:
                    self.output_bytes += text_bytes(value)
                else:
                    has_other = True
        if not produced and type(choice.get("message")) is dict:
            return self._observe_repaired(choice, position)
        if has_other:
            if not self._repair.is_regular(index, delta):
                content = delta.get("content")
                self.output_bytes -= text_bytes(content) if type(content) is str else 0
                return self._observe_repaired(choice, position)
            self._count_other(delta)
        self.deltas += produced
        if reason is not None:
            self._finish_choice(index, choice, position)
        elif index not in self._reasons:
            self._reasons[index] = None
        return produced

    def _without_repetition(self, choice: Any) -> Any:
        """Return *choice*, of a completion that follows chunks, without the output that they had."""
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if self._choices > 1 or not isinstance(delta, dict):
            return choice
        size, content = delta_bytes(delta), delta.get("content")
        if size == self.output_bytes:
            return {**choice, "delta": {}}
        if not isinstance(content, str) or text_bytes(content) != size or size < self.output_bytes:
            return choice
        rest = content.encode(errors="surrogatepass")[self.output_bytes :].decode(errors="ignore")
        return {**choice, "delta": {"content": rest}}

    def _is_odd_end(self, index: int, reason: str) -> bool:
        return reason not in FINISH_REASONS or self._repair.is_holding(index)

    def _observe_repaired(self, odd_choice: dict[str, Any], position: int) -> bool:
        index = number_of(odd_choice.get("index")) or 0
        is_first = index not in self._reasons or not self.deltas
        choice = self._repair.choice(odd_choice, is_first=is_first)
        self._repaired[position] = choice
        received, reason = delta_of(odd_choice, is_first=is_first), choice["finish_reason"]
        # the repaired delta lacks calls that are held back
        produced = any(value and key != "role" for key, value in received.items())
        self.output_bytes += delta_bytes(received)
        self.has_calls |= bool(choice["delta"].get("tool_calls") or choice["delta"].get("function_call"))
        self.deltas += produced
        if reason is not None:
            self._finish_choice(index, choice, position, is_end=is_known(odd_choice["finish_reason"]))
        elif index not in self._reasons:
            self._reasons[index] = None
        return produced

    def _finish_choice(
        self, index: int, choice: dict[str, Any], position: int, *, is_end: bool = True
    ) -> None:
        """Note the finish reason of *choice*; if it has several, the client receives the first."""
        reason, native = choice["finish_reason"], choice.get("native_finish_reason")
        if error := choice.get("error"):  # OpenRouter reports errors in the choice
            self.error = rejection_from_event({"error": error})
        elif is_broken_off(reason) or (is_broken_off(native) and not self.output_bytes):
            word = reason if is_broken_off(reason) else native
            message = f"The upstream broke off its response: its finish_reason is '{word}'"
            self.error = rejection_from_event({"error": {"message": message, "code": word}})
        elif self._reasons.get(index) is not None:
            self._repaired[position] = {**choice, "finish_reason": None}
            if is_end:
                self._reasons[index] = self._reasons[index] or reason
            return
        if self.has_calls and reason in COMPLETE:
            reason = self._end_of_calls(index, choice, position)
        self._reasons[index] = reason if is_end else ""
        if index == 0 or self.finish is None:
            self.finish = reason

    def _end_of_calls(self, index: int, choice: dict[str, Any], position: int) -> str:
        """Return the finish reason of a choice that may have calls, and change *choice* accordingly."""
        reason: str = choice["finish_reason"]
        if reason == "stop" and not self._is_call_forced and self._repair.has_calls(index):
            reason = "tool_calls"
            self._repaired[position] = {**choice, "finish_reason": reason}
        if self._repair.has_cut_call(index):
            self._held_ends[index] = reason
            self._repaired[position] = {**choice, "finish_reason": None}
        return reason

    def _count_other(self, delta: dict[str, Any]) -> None:
        content = delta.get("content")
        counted = text_bytes(content) if type(content) is str else 0
        self.output_bytes += delta_bytes(delta) - counted
        self.has_calls |= bool(delta.get("tool_calls") or delta.get("function_call"))


def _with_reason(choices: list[Any], reason: object) -> list[Any]:
    """Return *choices* with the finish *reason* that is at the top level of their chunk (Together)."""
    if not isinstance(reason, str) or not reason:
        return choices
    return [
        {**choice, "finish_reason": choice.get("finish_reason") or reason}
        if isinstance(choice, dict)
        else choice
        for choice in choices
    ]


def is_opening(payload: dict[str, Any]) -> bool:
    """Return whether this chunk has no visible content, so that another account may still answer."""
    choices = payload.get("choices")
    if _is_error(payload) or not isinstance(choices, list):
        return False
    if not choices:
        return not payload.get("usage")
    return not any(_shows(choice) for choice in choices if isinstance(choice, dict))


def _shows(choice: dict[str, Any]) -> bool:
    delta = choice.get("delta")
    produced = isinstance(delta, dict) and any(value and key != "role" for key, value in delta.items())
    return produced or bool(choice.get("finish_reason"))


def _is_error(payload: dict[str, Any]) -> bool:
    return bool(payload.get("error")) or ("choices" not in payload and reports_error(payload))
