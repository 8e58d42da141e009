"""
The state that `previous_response_id` continues: per lane the conversation up to its latest response.

It is the items as JSON, so that any account can serve the next request, and it ends with the connection.
All conversations of a process share a bound: beyond it the one that was not used for longest is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from app.errors import PreviousResponseNotFound
from app.websocket.frames import Create

MIB = 1024 * 1024
MAX_BYTES = 256 * MIB  # total size of all conversations of a process
MAX_CONNECTION_BYTES = 64 * MIB
BYTES_PER_ITEM = 64  # memory per item in addition to its JSON


@dataclass(frozen=True, slots=True)
class Conversation:
    """A lane's conversation: the id of its latest response, and all items up to its end."""

    response_id: str
    items: tuple[bytes, ...]

    @property
    def size(self) -> int:
        return sum(map(len, self.items)) + BYTES_PER_ITEM * len(self.items)


class ConversationMemory:
    """The memory that the conversations of this process use, in the order of their last use."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_connection_bytes: int = MAX_CONNECTION_BYTES) -> None:
        self.bytes = 0
        self.max_connection_bytes = max_connection_bytes
        self._max_bytes = max_bytes
        self._used: OrderedDict[tuple[Continuations, str], int] = OrderedDict()

    def add(self, owner: Continuations, lane: str, size: int) -> None:
        """Count a conversation, and forget others until all fit."""
        self.bytes += size
        self._used[owner, lane] = size
        while self.bytes > self._max_bytes:
            oldest, lane = next(iter(self._used))
            oldest.drop(lane)

    def use(self, owner: Continuations, lane: str) -> None:
        self._used.move_to_end((owner, lane))

    def remove(self, owner: Continuations, lane: str) -> None:
        self.bytes -= self._used.pop((owner, lane))


class Continuations:
    """The conversations of one connection, by lane."""

    __slots__ = ("_by_lane", "_memory")

    def __init__(self, memory: ConversationMemory) -> None:
        self._memory = memory
        self._by_lane: OrderedDict[str, Conversation] = OrderedDict()  # ordered by their last change

    def before(self, create: Create) -> tuple[bytes, ...]:
        """Return the items of the conversation before *create*. Raises PreviousResponseNotFound."""
        previous_id = create.previous_response_id
        if previous_id is None:
            return ()
        for lane, conversation in self._by_lane.items():
            if conversation.response_id == previous_id:
                self._memory.use(self, lane)
                return conversation.items
        raise PreviousResponseNotFound(previous_id)

    def keep(self, lane: str, response_id: str, items: tuple[bytes, ...]) -> None:
        """Store the conversation of *lane* up to the response *response_id*, if it fits."""
        self.drop(lane)
        conversation = Conversation(response_id, items)
        left = self._memory.max_connection_bytes - conversation.size
        if left < 0:
            return
        sizes = {name: each.size for name, each in self._by_lane.items()}
        while sum(sizes.values()) > left:
            oldest = next(iter(sizes))
            del sizes[oldest]
            self.drop(oldest)
        self._by_lane[lane] = conversation
        self._memory.add(self, lane, conversation.size)

    def forget(self, create: Create) -> None:
        """Forget the conversation that a failed request continued in its lane, not that of another lane."""
        latest = self._by_lane.get(create.lane)
        if latest is not None and latest.response_id == create.previous_response_id:
            self.drop(create.lane)

    def drop(self, lane: str) -> None:
        """Forget the conversation of *lane*, if there is one."""
        if self._by_lane.pop(lane, None) is not None:
            self._memory.remove(self, lane)

    def close(self) -> None:
        """Forget all conversations."""
        for lane in tuple(self._by_lane):
            self.drop(lane)
