"""
Scripts on one plain server, for a third of what redis-py's client costs a call.

Every request waits for Redis three times. The client takes a connection out of its pool, asks the
kernel whether something lies in it, counts for its telemetry and prepares to try again; here a
connection that was used before is at hand, with a reader of replies, and the client is left to
what goes wrong.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import hiredis
import redis
from redis.exceptions import NoScriptError

from app.sockets import send_all
from app.stores.client import StoreClient
from app.stores.errors import REDIS_ERRORS, store_error

MAX_AT_HAND = 50  # of the pool's connections; others who need one find the rest there
READ_BYTES = 65536
_NOT_YET = object()


class _Line(NamedTuple):
    """A connection of the pool, and what reads replies from it without redis-py's help."""

    connection: Any
    replies: Any


class FastScriptClient:
    """`evalsha` of *client*, by way of connections that its pool made."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client
        self._pool: Any = client.connection_pool
        self._at_hand: list[_Line] = []
        self._process = os.getpid()

    def evalsha(self, digest: str, keys: int, *args: Any) -> Any:
        """
        Run a script and return its reply. Raises what the client raises: StoreError, or NoScriptError.

        It may run twice, as with the client, when the connection breaks before the reply is here.
        """
        try:
            return self._evalsha(digest, keys, *args)
        except NoScriptError:
            raise
        except REDIS_ERRORS as error:
            raise store_error(error) from error

    def _evalsha(self, digest: str, keys: int, *args: Any) -> Any:
        line = self._take()
        try:
            send_all(line.connection._sock, hiredis.pack_command(("EVALSHA", digest, keys, *args)))
            reply = _reply(line)
        except TimeoutError:
            self._drop(line)
            raise redis.TimeoutError("Timeout reading from socket") from None
        except (OSError, redis.ConnectionError):  # closed since its last use, perhaps: the client tries again
            self._drop(line)
            return self._client.evalsha(digest, keys, *args)
        except BaseException:
            self._drop(line)
            raise
        self._put_back(line)
        if isinstance(reply, redis.RedisError):
            raise reply
        return reply

    def _take(self) -> _Line:
        if self._process != os.getpid():  # forked since: those at hand are the parent's
            self._at_hand, self._process = [], os.getpid()
        if self._at_hand:
            return self._at_hand.pop()
        connection = self._pool.get_connection()
        replies = hiredis.Reader(
            replyError=connection._parser.parse_error, encoding="utf-8", notEnoughData=_NOT_YET
        )
        return _Line(connection, replies)

    def _put_back(self, line: _Line) -> None:
        self._at_hand.append(line)
        if len(self._at_hand) > MAX_AT_HAND:
            self._pool.release(self._at_hand.pop().connection)

    def _drop(self, line: _Line) -> None:
        line.connection.disconnect()  # a reply may be on its way to whoever comes next
        self._pool.release(line.connection)


def _reply(line: _Line) -> Any:
    while (reply := line.replies.gets()) is _NOT_YET:
        data = line.connection._sock.recv(READ_BYTES)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        line.replies.feed(data)
    if isinstance(reply, redis.ConnectionError):  # such as: the server is still loading what it holds
        raise reply
    return reply


def for_scripts(client: Any) -> Any:
    """Return what runs scripts cheapest on *client*'s server; a cluster or sentinels know the way better."""
    plain = type(client) is StoreClient and type(client.connection_pool) is redis.BlockingConnectionPool
    return FastScriptClient(client) if plain else client
