"""
Give all chunks of a chat stream one `id`, `created` and `model`, their type, and each choice its role.

SDKs join chunks by these values, fail without them, or ignore a chunk without its type. Azure's first chunk
has an empty id, Ollama gives every chunk its own time, and other servers omit some values, or change the id.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from typing import Any

from app.streaming.events import Event

Payload = dict[str, Any]

KEYS = ("id", "created", "model")
CHUNK = "chat.completion.chunk"
_CREATED = b'"created"'


class ChunkIdentity:
    """
    The identity is that of the first chunk with an id or with content; *default* provides what it lacks.

    Chunks before it are held back. Events that are not chunks, and the sentinel, pass unchanged.
    """

    def __init__(self, default: Payload, choices: int = 1) -> None:
        """*default* has all of `KEYS`; *choices* is the requested number."""
        self._default = default
        self._identity: Payload = {}
        self._known: tuple[Any, ...] = ()
        self._without_role = choices
        self._begun: set[Any] = set()  # indexes of choices that have a role, while others have none
        self._held: list[Event] = []

    def unify(self, events: list[Event]) -> list[Event]:
        """Return *events*, which may be changed, after those that were held back."""
        if not self._known:
            events = self._begin(events)
        for event in events:
            get = event.payload.get
            if self._known != (get("id"), get("created"), get("model")) and "choices" in event.payload:
                self._rename(event)
            if self._without_role and get("choices"):
                self._add_roles(event)
        return events

    def finish(self) -> list[Event]:
        """Return the chunks that are still held back."""
        held, self._held = self._held, []
        for event in held:
            self._rename(event)
        return held

    def _begin(self, events: list[Event]) -> list[Event]:
        """Return the held events and *events* once one has the identity; until then hold all, return []."""
        events, self._held = self._held + events, []
        for event in events:
            payload = event.payload
            if "choices" not in payload:  # the sentinel or a failure
                return events
            if payload.get("id") or payload["choices"]:
                self._rename(event)
                return events
        self._held = events
        return []

    def _rename(self, event: Event) -> None:
        """Give the chunk *event* the identity of its response."""
        payload = event.payload
        if not self._known:
            self._identity = identity_of(payload, self._default)
            self._known = tuple(self._identity[key] for key in KEYS)
            self._identity["object"] = CHUNK
            if payload.get("object") != CHUNK:
                self._known = (CHUNK,)  # matches no chunk, so that each one gets the type
        changed = [key for key in self._identity if payload.get(key) != self._identity[key]]
        if changed:
            event.data = self._dated(event) if changed == ["created"] else None
            event.payload = {**payload, **self._identity}

    def _dated(self, event: Event) -> bytes | None:
        """
        Return the event's JSON with another time; None if it has to be encoded again.

        Quotes inside JSON strings are escaped, so these bytes can only be a key.
        """
        data, before = event.data, event.payload.get("created")
        if data is None or type(before) is not int or data.count(_CREATED) != 1:
            return None
        old = b'"created":%d' % before
        return data.replace(old, b'"created":%d' % self._identity["created"]) if old in data else None

    def _add_roles(self, event: Event) -> None:
        choices = list(event.payload["choices"])
        is_changed = False
        for position, choice in enumerate(choices):
            delta, index = choice.get("delta"), choice.get("index")
            if not isinstance(delta, dict) or index in self._begun:
                continue
            self._begun.add(index)
            self._without_role -= 1
            if not delta.get("role"):
                others = {key: value for key, value in delta.items() if key != "role"}
                choices[position] = {**choice, "delta": {"role": "assistant", **others}}
                is_changed = True
        if is_changed:
            event.payload, event.data = {**event.payload, "choices": choices}, None


def identity_of(payload: Payload, default: Payload) -> Payload:
    """Return the `id`, `created` and `model` of a chunk, those of *default* where it has none."""
    created = payload.get("created")
    is_time = isinstance(created, int | float) and not isinstance(created, bool) and 0 < created < 1e12
    given = {"id": payload.get("id"), "model": payload.get("model")}
    return {
        "id": given["id"] if isinstance(given["id"], str) and given["id"] else default["id"],
        "created": int(created) if is_time and created is not None else default["created"],
        "model": given["model"] if isinstance(given["model"], str) and given["model"] else default["model"],
    }
