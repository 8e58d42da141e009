"""Resume a chat stream. See `delivered`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.streaming.events import Event
from app.translation.resume.logprobs import logprobs_after
from app.translation.resume.prefix_match import PrefixMatcher

Chunk = dict[str, Any]


class ChatDelivered:
    """Records the text of choice 0; any other visible content makes the stream not resumable."""

    def __init__(self) -> None:
        self.resumable = True
        self._text: list[str] = []
        self._identity: Chunk = {}

    def record(self, events: list[Event]) -> None:
        """Add delivered *events*."""
        for event in events:
            chunk = event.payload
            if not self._identity:
                self._identity = {key: chunk[key] for key in ("id", "created", "model") if key in chunk}
            for choice in chunk.get("choices") or ():
                self._record_choice(choice)

    def _record_choice(self, choice: Chunk) -> None:
        delta = choice.get("delta") or {}
        shown = {key for key, value in delta.items() if value and key != "role"}
        if choice.get("index", 0) != 0 or choice.get("finish_reason") or shown - {"content"}:
            self.resumable = False
        elif isinstance(delta.get("content"), str):
            self._text.append(delta["content"])

    def resume(self) -> Callable[[Chunk], Chunk | None]:
        """Return a function from each chunk of a new response to the one to deliver, or None."""
        prefix, identity = PrefixMatcher("".join(self._text)), self._identity

        def rest(chunk: Chunk) -> Chunk | None:
            choices = chunk.get("choices")
            if not choices:
                return {**chunk, **identity}  # usage
            choice = choices[0]
            delta = choice.get("delta") or {}
            if not prefix.matched:
                shown = {key for key, value in delta.items() if value and key not in ("role", "content")}
                if shown or len(choices) > 1:
                    raise ValueError("something other than text comes where text was delivered")
            text = delta.get("content") or ""
            content = prefix.remove_prefix(text)
            if choice.get("finish_reason") and not prefix.matched:
                raise ValueError("the new response is shorter than what was delivered")
            new = {key: value for key, value in delta.items() if key not in ("role", "content")}
            if content:
                new["content"] = content
            if not any(new.values()) and not choice.get("finish_reason"):
                return None
            rest_of_choice = {**choice, "delta": new}
            if len(content) < len(text) and isinstance(choice.get("logprobs"), dict):
                rest_of_choice["logprobs"] = _logprobs_after(
                    choice["logprobs"], text[: -len(content) or None]
                )
            return {**chunk, **identity, "choices": [rest_of_choice]}

        return rest


def _logprobs_after(logprobs: Chunk, removed: str) -> Chunk:
    return {**logprobs, "content": logprobs_after(logprobs.get("content") or [], removed)}
