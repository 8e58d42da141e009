"""
A fast path for EVALSHA on a plain server: a third of the CPU time of redis-py's client.

Every request waits for Redis twice. For each command redis-py takes a connection out of its pool,
polls it, records telemetry and prepares retries. This module reuses idle connections together with a
reply parser, and falls back to redis-py when something fails.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import hiredis
import redis
from redis.exceptions import NoScriptError

from app.receiver import Receiver
from app.sockets import send_all
from app.stores.client import StoreClient
from app.stores.errors import REDIS_ERRORS, store_error

MAX_IDLE = 32  # connections that this module retains, half of all; the rest stay in redis-py's pool
READ_BYTES = 65536
_INCOMPLETE = object()


class _IdleConnection(NamedTuple):
    """An idle connection of the pool, with its socket's receiver and the parser of its replies."""

    connection: Any
    receiver: Receiver
    replies: Any


class FastScriptClient:
    """`evalsha` on idle connections of *client*'s pool."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client
        self._pool: Any = client.connection_pool
        self._idle: list[_IdleConnection] = []
        self._process = os.getpid()

    def evalsha(self, digest: str, keys: int, *args: Any) -> Any:
        """
        Run a script and return its reply. Raises what the client raises: StoreError, or NoScriptError.

        As with redis-py, the script may run twice when the connection breaks before the reply arrives.
        """
        try:
            return self._evalsha(digest, keys, *args)
        except NoScriptError:
            raise
        except REDIS_ERRORS as error:
            raise store_error(error) from error

    def _evalsha(self, digest: str, keys: int, *args: Any) -> Any:
        idle = self._take()
        try:
            send_all(idle.connection._sock, hiredis.pack_command(("EVALSHA", digest, keys, *args)))
            reply = _reply(idle)
        except TimeoutError:
            self._drop(idle)
            raise redis.TimeoutError("Timeout reading from socket") from None
        # The server may have closed the idle connection: redis-py retries
        except (OSError, redis.ConnectionError):
            self._drop(idle)
            return self._client.evalsha(digest, keys, *args)
        except BaseException:
            self._drop(idle)
            raise
        self._return(idle)
        if isinstance(reply, redis.RedisError):
            raise reply
        return reply

    def _take(self) -> _IdleConnection:
        if self._process != os.getpid():  # after a fork: these connections are the parent's
            self._idle, self._process = [], os.getpid()
        if self._idle:
            return self._idle.pop()
        connection = self._pool.get_connection()
        replies = hiredis.Reader(
            replyError=connection._parser.parse_error, encoding="utf-8", notEnoughData=_INCOMPLETE
        )
        return _IdleConnection(connection, Receiver(connection._sock), replies)

    def _return(self, idle: _IdleConnection) -> None:
        self._idle.append(idle)
        # Callers may wait for one of the pool, while new ones would take every one that is retained here
        if len(self._idle) > MAX_IDLE or self._pool.pool.empty():
            surplus = self._idle.pop()
            surplus.receiver.close()
            self._pool.release(surplus.connection)

    def _drop(self, idle: _IdleConnection) -> None:
        idle.receiver.close()
        idle.connection.disconnect()  # a late reply must not reach the next caller
        self._pool.release(idle.connection)


def _reply(idle: _IdleConnection) -> Any:
    while (reply := idle.replies.gets()) is _INCOMPLETE:
        data = idle.receiver.receive(READ_BYTES, idle.connection.socket_timeout)
        if data is None:
            raise TimeoutError
        if not data:
            raise ConnectionResetError("the server closed the connection")
        idle.replies.feed(data)
    if isinstance(reply, redis.ConnectionError):  # for example, the server is still loading its data
        raise reply
    return reply


def script_client(client: Any) -> Any:
    """Return a FastScriptClient for a plain server; else *client*, which follows a cluster or sentinels."""
    plain = type(client) is StoreClient and type(client.connection_pool) is redis.BlockingConnectionPool
    return FastScriptClient(client) if plain else client
