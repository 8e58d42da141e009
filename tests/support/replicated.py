"""A master, its replica, and a sentinel that watches them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from tests.support.ports import free_port
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

DOWN_AFTER_MS = 2000  # a shorter pause causes no failover
FAILOVER_SECONDS = 60.0
NOBODYS_PORT = 1


class Replicated:
    """`url` is given to the gateway; the master is paused, killed and restarted."""

    def __init__(self, folder: Path) -> None:
        first, second, watching = free_port(), free_port(), free_port()
        self._nodes = [RedisServer(folder / "1", port=first)]
        self._nodes.append(RedisServer(folder / "2", port=second))
        self._nodes[1].client().execute_command("REPLICAOF", "127.0.0.1", first)
        settings = folder / "sentinel.conf"
        settings.write_text(
            f"sentinel monitor pg 127.0.0.1 {first} 1\n"
            f"sentinel down-after-milliseconds pg {DOWN_AFTER_MS}\nsentinel failover-timeout pg 5000\n"
        )
        self._sentinel = RedisServer(folder / "s", str(settings), "--sentinel", port=watching)
        self.url = f"redis+sentinel://127.0.0.1:{watching}/pg"
        self.await_replica()

    def master_port(self) -> int:
        reply: Any = self._sentinel.client().execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", "pg")
        return int(reply[1])

    def master(self) -> RedisServer:
        port = self.master_port()
        return next(node for node in self._nodes if node.port == port)

    def await_replica(self) -> None:
        """Wait until the replica follows, and the sentinel knows it."""
        assert eventually(self._has_replica, FAILOVER_SECONDS), "the replica does not follow"

    def _has_replica(self) -> bool:
        reply: Any = self._sentinel.client().execute_command("SENTINEL REPLICAS", "pg")
        linked = [each for each in reply if _field(each, "master-link-status") == "ok"]
        return bool(linked) and self._following()

    def _following(self) -> bool:
        master = self.master()
        (other,) = [node for node in self._nodes if node is not master]
        try:
            reply: Any = other.client().info("replication")
        except redis.RedisError:
            return False
        return reply["role"] == "slave" and reply["master_link_status"] == "up"

    def pause(self, seconds: float) -> None:
        self.master().pause(seconds)

    def restart(self) -> None:
        self.master().restart()

    def fail_over(self, behind_seconds: float = 0.0) -> None:
        """
        Kill the master, wait for its successor, and restart the old one as its replica.

        The successor lacks the writes of the last *behind_seconds*.
        """
        old = self._replace(RedisServer.stop, behind_seconds)
        old.start("--replicaof", f"127.0.0.1 {self.master_port()}")

    def cut_off(self, behind_seconds: float = 0.0) -> None:
        """Stop the master until it is replaced; then continue it, without its knowledge of that."""
        self._replace(RedisServer.freeze, behind_seconds).thaw()

    def _replace(self, fell: Callable[[RedisServer], None], behind_seconds: float) -> RedisServer:
        self.await_replica()
        old = self.master()
        (new,) = [node for node in self._nodes if node is not old]
        if behind_seconds:  # to stop it would not do: what was sent to it waits in its socket
            new.client().execute_command("REPLICAOF", "127.0.0.1", NOBODYS_PORT)
            time.sleep(behind_seconds)
        fell(old)
        assert eventually(lambda: self.master() is new, FAILOVER_SECONDS), "no failover"
        assert eventually(lambda: _is_master(new), FAILOVER_SECONDS)
        return old

    def stop(self) -> None:
        for server in (self._sentinel, *self._nodes):
            server.stop()


def _is_master(node: RedisServer) -> bool:
    reply: Any = node.client().info("replication")
    return bool(reply["role"] == "master")


def _field(reply: Any, name: str) -> str:
    pairs = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
    return str(pairs.get(name))
