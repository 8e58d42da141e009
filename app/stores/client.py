"""
Make a Redis client from a URL, and say in our words when Redis is away.

    unix:///path/redis.sock            a server on this machine, such as the private one
    redis://… rediss://…               one server; Heroku's certificates need ?ssl_cert_reqs=none
    redis+sentinel://h1,h2:port/name/0 the master that the sentinels name
    redis+cluster://host:port          a cluster; every pool is in one slot
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException, RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection

from app import descriptors
from app.config import NAMES, ConfigError
from app.errors import StoreOutOfDescriptors, StoreUnavailable

MAX_CONNECTIONS = 200  # per process: scripts take well under a millisecond, so few are ever busy at once
STORE_ERRORS = (RedisError, RedisClusterException)  # the latter is not one of the former
# words of a server that is away, cannot be written, or does not let us: it may take later what it refuses now
_STATES = re.compile(
    r"\b(OOM|READONLY|LOADING|MISCONF|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|NOREPLICAS|BUSY|UNKILLABLE|MOVED|ASK"
    r"|NOAUTH|NOPERM|EXECABORT|NOGOODSLAVE)\b|[Ss]cript killed|No space left|maxmemory"
)
RECONNECTS = 2  # a restarted server is reached at once; a dead one costs 15 ms of waiting, no more


def make_client(url: str, timeout_seconds: float) -> Any:
    """
    Return a client for *url*; it connects at the first command, not here.

    Raises ConfigError for an option in its query whose value is of the wrong kind.
    """
    try:
        return _client_for(url, timeout_seconds)
    except ValueError:  # its words could repeat a password
        accepted = "options after its `?` with values of their kind"
        raise ConfigError(NAMES["redis_url"], url.rsplit("@", 1)[-1].split("?")[0] + "?…", accepted) from None


def _client_for(url: str, timeout_seconds: float) -> Any:
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "retry": Retry(ExponentialBackoff(cap=0.01, base=0.005), RECONNECTS, (redis.ConnectionError,)),
        "protocol": 2,  # RESP3 costs a HELLO per connection and buys nothing here
        "driver_info": None,  # or every new connection makes two more round trips
        "decode_responses": True,
    }
    parts = urlsplit(url)
    if parts.scheme == "redis+cluster":
        options["retry"] = Retry(ExponentialBackoff(cap=0.05, base=0.01), RECONNECTS)
        return _ClusterAtFirstUse(
            lambda: RedisCluster.from_url(url.replace("redis+cluster", "redis", 1), **options)
        )
    if parts.scheme == "redis+sentinel":
        return _from_sentinels(parts.netloc, parts.path, dict(parse_qsl(parts.query)), options)
    pool = redis.BlockingConnectionPool.from_url(
        url, max_connections=MAX_CONNECTIONS, timeout=timeout_seconds, **options
    )
    return redis.Redis(connection_pool=pool)


class _ClusterAtFirstUse:
    """redis-py's client asks a cluster for its slots when it is made; ours must start without one."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._client: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._client is None:
            self._client = self._make()
        return getattr(self._client, name)


class _Connection(SentinelManagedConnection):
    """
    Hangs up when a reply does not come in time, as other connections of redis-py do by themselves.

    Else it is used again, and the late reply is taken for that to the next command: one caller's
    key for another's.
    """

    def read_response(self, *args: Any, **options: Any) -> Any:
        return super().read_response(*args, **({"disconnect_on_error": True} | options))


class _TlsConnection(_Connection, SentinelManagedSSLConnection):
    pass


def _from_sentinels(netloc: str, path: str, query: dict[str, str], options: dict[str, Any]) -> Any:
    credentials, _, hosts = netloc.rpartition("@")
    addresses = [_host_and_port(host) for host in hosts.split(",")]
    service, _, database = path.strip("/").partition("/")
    username, _, password = credentials.partition(":")
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]
        addresses, sentinel_kwargs={name: options[name] for name in ("socket_timeout", "retry")}
    )
    return sentinel.master_for(
        service,
        db=int(database or 0),
        username=username or None,
        password=password or None,
        connection_class=_TlsConnection if query.pop("ssl", "") else _Connection,
        **{**options, **query},
    )


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port or 26379)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn whatever Redis fails with into StoreUnavailable. Limits fail closed."""
    try:
        yield
    except STORE_ERRORS as error:
        raise unavailable(error) from error


def is_of_the_script(error: Exception) -> bool:
    """
    Whether a script failed by its own error, so that it fails again, and not because the server cannot.

    Such a message names the script and no state of the server. Redis 6 puts what a command in the
    script failed with into the middle of it; the client has a class of its own for some states, and
    removes their code from the message.
    Source: https://redis.io/docs/latest/develop/interact/programmability/eval-intro/
    """
    text = str(error)
    return type(error) is ResponseError and "user_script" in text and not _STATES.search(text)


def unavailable(error: Exception) -> StoreUnavailable:
    """Return what *error*, of the Redis client, means to callers."""
    if descriptors.caused(error):
        return StoreOutOfDescriptors()
    return StoreUnavailable(
        "The gateway's store is not answering; no request can be admitted just now", retry_after_seconds=1
    )
