"""
The state that `previous_response_id` continues: per lane the conversation up to its latest response.

It is the items as JSON, so that any account can serve the next request, and it ends with the connection.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import PreviousResponseNotFound
from app.websocket.frames import Create


@dataclass(frozen=True, slots=True)
class Conversation:
    """A lane's conversation: the id of its latest response, and all items up to its end."""

    response_id: str
    items: tuple[bytes, ...]


class Continuations:
    """The conversations of one connection, by lane."""

    def __init__(self) -> None:
        self._by_lane: dict[str, Conversation] = {}

    def before(self, create: Create) -> tuple[bytes, ...]:
        """Return the items that precede those of *create*. Raises PreviousResponseNotFound."""
        previous_id = create.previous_response_id
        if previous_id is None:
            return ()
        for conversation in self._by_lane.values():
            if conversation.response_id == previous_id:
                return conversation.items
        raise PreviousResponseNotFound(previous_id)

    def keep(self, lane: str, response_id: str, items: tuple[bytes, ...]) -> None:
        """Keep the conversation of *lane* up to the response *response_id*."""
        self._by_lane[lane] = Conversation(response_id, items)

    def forget(self, create: Create) -> None:
        """Forget what a failed request of the same lane continued; that of another lane stays."""
        latest = self._by_lane.get(create.lane)
        if latest is not None and latest.response_id == create.previous_response_id:
            del self._by_lane[create.lane]
