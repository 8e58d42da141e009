"""Chat chunks for a chat client: passed on with one identity, without usage that was not requested."""

from __future__ import annotations

from app.streaming.events import DONE, Event
from app.translation.events.chunk_identity import ChunkIdentity

_LAST = b',"usage":null}'  # the end of a chunk: no inner object can end here
# Other keys of a chunk that has only usage, even if the usage could not be read.
_FRAME = frozenset(("id", "object", "created", "model", "choices", "system_fingerprint", "service_tier"))


class ChatPassThrough:
    """
    Passes chunks on. The sentinel is dropped: `app.api` writes it.

    Upstreams always report usage. If the client did not request it, the usage chunk is
    dropped and no chunk has a `usage` key. The translator may change the events it is given.
    Source: https://platform.openai.com/docs/api-reference/chat-streaming
    """

    def __init__(self, identity: ChunkIdentity, *, include_usage: bool) -> None:
        self._identity = identity
        self._include_usage = include_usage

    def translate(self, events: list[Event]) -> list[Event]:
        """Return the chunks to send, without the sentinel and usage that was not requested."""
        return self._without_unrequested(self._identity.unify(events))

    def finish(self) -> list[Event]:
        return self._without_unrequested(self._identity.finish())

    def _without_unrequested(self, events: list[Event]) -> list[Event]:
        passed = []
        for event in events:
            if event is DONE:
                continue
            payload = event.payload
            if "usage" in payload and not self._include_usage:
                usage, data = payload.pop("usage"), event.data
                if not payload.get("choices") and (usage is not None or payload.keys() <= _FRAME):
                    continue
                event.data = None if data is None or usage is not None else _cut(data)
            passed.append(event)
        return passed


def _cut(data: bytes) -> bytes | None:
    """
    Return the JSON *data* of a chunk without its `"usage":null`; None if it has to be encoded again.

    Nearly every chunk has the key, mostly at its end, and cutting costs a tenth of encoding.
    Quotes inside JSON strings are escaped, so these bytes can only be a key.
    """
    cut = data.removesuffix(_LAST)
    if len(cut) < len(data):
        return cut + b"}"
    if data.count(b'"usage"') != 1:
        return None
    cut = data.replace(b',"usage":null', b"", 1)
    return cut if len(cut) < len(data) else None
