"""A connection whose reply did not come in time is not used again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from app.stores.client import make_client
from tests.support.redis import short_folder
from tests.support.redis_server import RedisServer
from tests.support.replicated import Replicated

PATIENCE_SECONDS = 1.0


@pytest.fixture(params=["a server", "a master that a sentinel names"])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer | Replicated]:
    with short_folder() as folder:
        kind = RedisServer if request.param == "a server" else Replicated
        server = kind(folder)
        yield server
        server.stop()


def test_a_late_reply_is_nobodys(server: RedisServer | Replicated) -> None:
    master = server.master() if isinstance(server, Replicated) else server
    with closing(make_client(server.url, PATIENCE_SECONDS)) as client:
        client.mset({"one": "1", "two": "2"})
        master.freeze()
        with pytest.raises(redis.TimeoutError):
            client.get("one")

        thawing = threading.Timer(PATIENCE_SECONDS / 4, master.thaw)
        thawing.start()
        try:
            replies = {client.get("two")}
        except redis.TimeoutError:  # a busy machine thaws late
            replies = set()
        thawing.join()

        assert replies <= {"2"}
        assert [client.get(name) for name in ("one", "two", "one")] == ["1", "2", "1"]
