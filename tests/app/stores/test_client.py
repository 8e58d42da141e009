"""A connection whose reply did not come in time is not used again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, ClassVar

import pytest
import redis

from app.errors import StoreRefused, StoreUnavailable
from app.stores.client import make_client
from app.stores.errors import REDIS_ERRORS, is_script_error
from app.stores.scripts import Scripts
from tests.support.cluster import running_cluster
from tests.support.processes import eventually
from tests.support.redis import short_folder
from tests.support.redis_server import RedisServer
from tests.support.replicated import Replicated

TIMEOUT_SECONDS = 1.0


@pytest.fixture(params=["a server", "a master that a sentinel names"])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer | Replicated]:
    with short_folder() as folder:
        kind = RedisServer if request.param == "a server" else Replicated
        server = kind(folder)
        yield server
        server.stop()


def test_a_late_reply_is_not_used_for_another_command(server: RedisServer | Replicated) -> None:
    master = server.master() if isinstance(server, Replicated) else server
    with closing(make_client(server.url, TIMEOUT_SECONDS)) as client:
        client.mset({"one": "1", "two": "2"})
        master.freeze()
        with pytest.raises(StoreUnavailable):
            client.get("one")

        thawing = threading.Timer(TIMEOUT_SECONDS / 4, master.thaw)
        thawing.start()
        try:
            replies = {client.get("two")}
        except StoreUnavailable:  # a busy machine thaws late
            replies = set()
        thawing.join()

        assert replies <= {"2"}
        assert [client.get(name) for name in ("one", "two", "one")] == ["1", "2", "1"]


def test_a_former_master_that_answers_again_is_left() -> None:
    with short_folder() as folder:
        store = Replicated(folder)
        with closing(make_client(store.url, TIMEOUT_SECONDS)) as client:
            client.set("before", "1")  # its connection stays open while the master stands still
            former = store.master()
            store.cut_off()
            reply: Any = former.client().info("replication")
            assert reply["role"] == "master", "the sentinel was faster than the test"

            assert eventually(lambda: client.set("after", "1") and store.master().client().get("after"), 5.0)
            assert former.client().info("replication")["role"] == "master"
        store.stop()


class TestOfTheScript:
    """A script's own error is a defect; a server that cannot take it now may later."""

    @pytest.mark.parametrize(
        "text",
        [
            "return redis.call('HINCRBY', KEYS[1], 'n', '9' .. string.rep('9', 30))",
            "return nil + 1",
            "error('refused: cost', 0)",
            "return string.format('%d', 'x')",
            "return redis.call('LPUSH', KEYS[1])",
        ],
    )
    def test_real_ones(self, redis_client: Any, text: str) -> None:
        with pytest.raises(StoreRefused):
            redis_client.eval(text, 1, "k")

    def test_full(self, redis_client: Any) -> None:
        redis_client.config_set("maxmemory", "1")
        try:
            with pytest.raises(StoreUnavailable):
                redis_client.eval("return redis.call('SET', KEYS[1], 'x')", 1, "k")
        finally:
            redis_client.config_set("maxmemory", "0")

    def test_a_replica(self) -> None:
        """The client has a class of its own for this state, and removes READONLY from the message."""
        with short_folder() as folder:
            server = RedisServer(folder)
            try:
                with closing(server.client()) as client:
                    client.execute_command("REPLICAOF", "127.0.0.1", "1")
                    with pytest.raises(redis.ResponseError) as caught:
                        client.eval("return redis.call('SET', KEYS[1], 'x')", 1, "k")
            finally:
                server.stop()
        assert "READONLY" not in str(caught.value)
        assert not is_script_error(caught.value)

    def test_distinguished(self, redis_client: Any) -> None:
        with pytest.raises(StoreRefused) as caught:
            Scripts(redis_client).run("settle", "p", '{"id": 5}')
        assert caught.value.reason.startswith("settle: refused: ")
        assert "settle" not in str(caught.value.envelope())


class TestErrorsOfTheClient:
    """Every way to send a command raises the gateway's errors, with redis-py's as the cause."""

    WAYS: ClassVar[dict[str, Callable[[Any], Any]]] = {
        "command": lambda client: client.get("k"),
        "script": lambda client: client.eval("return 1", 1, "k"),
        "pipeline": lambda client: client.pipeline(transaction=False).get("k").execute(),
        "transaction": lambda client: client.pipeline().get("k").execute(),
        "scan": lambda client: list(client.scan_iter(match="k*")),
    }

    URLS = (
        "unix:///nowhere",
        "redis://127.0.0.1:1",
        "redis+sentinel://127.0.0.1:1/pg",
        "redis+cluster://127.0.0.1:1",
    )

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("url", URLS)
    def test_away(self, url: str, way: str) -> None:
        """Closing the client afterwards raises no second error."""
        client = make_client(url, TIMEOUT_SECONDS)
        with pytest.raises(StoreUnavailable) as caught:
            self.WAYS[way](client)
        assert isinstance(caught.value.__cause__, REDIS_ERRORS)
        client.close()

    def test_a_pipeline_names_the_first_error(self, redis_client: Any) -> None:
        redis_client.set("text", "x")
        pipeline = redis_client.pipeline(transaction=False).get("text").hgetall("text")
        with pytest.raises(StoreUnavailable) as caught:
            pipeline.execute()
        assert "WRONGTYPE" in str(caught.value.__cause__)

    def test_unknown_script(self, redis_client: Any) -> None:
        """`Scripts` sends the text then."""
        with pytest.raises(redis.exceptions.NoScriptError):
            redis_client.evalsha("0" * 40, 1, "k")

    @pytest.mark.cluster
    def test_cluster_pipeline(self) -> None:
        with short_folder() as folder, running_cluster(folder) as ports:
            client = make_client(f"redis+cluster://127.0.0.1:{ports[0]}", 5.0)
            client.set("text", "x")
            assert client.pipeline(transaction=False).get("text").execute() == ["x"]
            with pytest.raises(StoreUnavailable):
                client.pipeline(transaction=False).hgetall("text").execute()
            client.close()
