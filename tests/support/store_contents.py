"""The content of a store, to search it for what it must not contain."""

from __future__ import annotations

from typing import Any


def everything_in(client: Any) -> str:
    """Return every key and value of the store, as text."""
    read = {
        "hash": client.hgetall,
        "stream": client.xrange,
        "set": client.smembers,
        "string": client.get,
        "zset": lambda key: client.zrange(key, 0, -1),
    }
    return "\n".join(f"{key} {read[client.type(key)](key)}" for key in client.scan_iter())
