"""
Scripts on one plain server, for half of what redis-py's client costs a call.

Every request waits for Redis three times. The client takes a connection out of its pool, asks the
kernel whether something lies in it, counts for its telemetry and prepares to try again; here a
connection that was used before is at hand, and the client is left to what goes wrong.
"""

from __future__ import annotations

import os
from typing import Any

import redis

MOST_AT_HAND = 50  # of the pool's connections; others who need one find the rest there


class Direct:
    """`evalsha` of *client*, by way of connections that its pool made."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._pool: Any = client.connection_pool
        self._at_hand: list[Any] = []
        self._process = os.getpid()

    def evalsha(self, digest: str, keys: int, *args: Any) -> Any:
        """
        Run a script and return its reply. Raises what the client raises.

        It may run twice, as with the client, when the connection breaks before the reply is here.
        """
        connection = self._take()
        try:
            connection.send_packed_command(
                connection.pack_command("EVALSHA", digest, keys, *args), check_health=False
            )
            reply = connection.read_response()
        except redis.ResponseError:
            self._put_back(connection)  # which is as good as before
            raise
        except redis.ConnectionError:  # closed since its last use, perhaps: the client tries again
            self._pool.release(connection)
            return self._client.evalsha(digest, keys, *args)
        except BaseException:  # a reply may be on its way, so the connection has been closed
            self._pool.release(connection)
            raise
        self._put_back(connection)
        return reply

    def _take(self) -> Any:
        if self._process != os.getpid():  # forked since: those at hand are the parent's
            self._at_hand, self._process = [], os.getpid()
        return self._at_hand.pop() if self._at_hand else self._pool.get_connection()

    def _put_back(self, connection: Any) -> None:
        if len(self._at_hand) < MOST_AT_HAND:
            self._at_hand.append(connection)
        else:
            self._pool.release(connection)


def for_scripts(client: Any) -> Any:
    """Return what runs scripts cheapest on *client*'s server; a cluster or sentinels know the way better."""
    plain = type(client) is redis.Redis and type(client.connection_pool) is redis.BlockingConnectionPool
    return Direct(client) if plain else client
