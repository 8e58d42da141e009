"""Scripts on idle connections: equivalent to the client's own calls, whatever happens to a connection."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from app.errors import StoreUnavailable
from app.stores.client import MAX_CONNECTIONS, make_client
from app.stores.fast_evalsha import MAX_IDLE, FastScriptClient, script_client

ECHO = "return ARGV[1]"
PAUSE_MS = 1000


@pytest.fixture
def digest(redis_client: Any) -> str:
    return str(redis_client.script_load(ECHO))


@pytest.fixture
def direct(redis_client: Any) -> FastScriptClient:
    return FastScriptClient(redis_client)


def clients(client: Any) -> int:
    return len(client.client_list())


def test_reply(direct: FastScriptClient, digest: str) -> None:
    assert [direct.evalsha(digest, 1, "k", text) for text in ("a", "ä€", "")] == ["a", "ä€", ""]


def test_one_connection_serves_one_after_another(
    redis_client: Any, direct: FastScriptClient, digest: str
) -> None:
    before = clients(redis_client)
    for _ in range(20):
        direct.evalsha(digest, 1, "k", "a")

    assert clients(redis_client) <= before + 1


def test_a_refusal_is_raised_and_the_connection_stays_open(
    redis_client: Any, direct: FastScriptClient, digest: str
) -> None:
    for _ in range(3):
        with pytest.raises(redis.exceptions.NoScriptError):
            direct.evalsha("0" * 40, 1, "k", "a")

    assert direct.evalsha(digest, 1, "k", "a") == "a"
    assert len(direct._idle) == 1


def test_a_connection_closed_meanwhile_is_not_noticed(
    redis_client: Any, direct: FastScriptClient, digest: str
) -> None:
    """As after a restart: no request is lost."""
    direct.evalsha(digest, 1, "k", "a")
    redis_client.client_kill_filter(_type="normal", skipme=False)

    assert direct.evalsha(digest, 1, "k", "b") == "b"
    assert direct.evalsha(digest, 1, "k", "c") == "c"


def test_a_late_reply_is_discarded(redis_url: str, redis_client: Any, digest: str) -> None:
    impatient = make_client(redis_url, 0.2)
    direct = FastScriptClient(impatient)
    direct.evalsha(digest, 1, "k", "first")
    redis_client.client_pause(PAUSE_MS)
    with pytest.raises(StoreUnavailable):
        direct.evalsha(digest, 1, "k", "late")

    redis_client.ping()  # waits for the end of the pause

    assert direct.evalsha(digest, 1, "k", "mine") == "mine"
    impatient.close()


def test_many_at_once_leave_room_in_the_pool(
    redis_client: Any, direct: FastScriptClient, digest: str
) -> None:
    """More callers than connections are all served, and few connections stay open after that."""
    before = clients(redis_client)
    with ThreadPoolExecutor(MAX_CONNECTIONS + 20) as callers:
        texts = [str(number) for number in range(500)]
        assert list(callers.map(lambda text: direct.evalsha(digest, 1, "k", text), texts)) == texts

    assert len(direct._idle) <= MAX_IDLE < MAX_CONNECTIONS
    assert clients(redis_client) <= before + MAX_CONNECTIONS
    assert redis_client.ping()


def test_one_that_waits_for_a_connection_is_served(direct: FastScriptClient, digest: str) -> None:
    """A connection that is returned is not retained for later callers while all are in use."""
    taken = [direct._take() for _ in range(MAX_CONNECTIONS)]
    with ThreadPoolExecutor(1) as callers:
        waits = callers.submit(direct.evalsha, digest, 1, "k", "mine")
        direct._return(taken.pop())
        assert waits.result(10) == "mine"
    for idle in taken:
        direct._return(idle)
    assert len(direct._idle) <= MAX_IDLE


def test_a_forked_process_takes_connections_of_its_own(direct: FastScriptClient, digest: str) -> None:
    direct.evalsha(digest, 1, "k", "parent")
    read, write = os.pipe()
    if not (child := os.fork()):
        try:
            os.write(write, direct.evalsha(digest, 1, "k", "child").encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read, 10) == b"child"
    assert direct.evalsha(digest, 1, "k", "parent") == "parent"


def test_only_for_a_plain_server(redis_client: Any) -> None:
    cluster = make_client("redis+cluster://127.0.0.1:1", 0.1)
    sentinel = make_client("redis+sentinel://127.0.0.1:1/mymaster", 0.1)

    assert isinstance(script_client(redis_client), FastScriptClient)
    assert (script_client(cluster), script_client(sentinel)) == (cluster, sentinel)
