"""
Make a Redis client from a URL. Its commands raise StoreUnavailable or StoreRefused, not redis-py's errors.

    unix:///path/redis.sock            a server on this machine, such as the private one
    redis://… rediss://…               one server; Heroku's certificates need ?ssl_cert_reqs=none
    redis+sentinel://h1,h2:port/name/0 the master that the sentinels name
    redis+cluster://host:port          a cluster; every pool is in one slot
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.client import Pipeline
from redis.cluster import ClusterPipeline, RedisCluster
from redis.exceptions import NoScriptError
from redis.retry import Retry
from redis.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from app.config import NAMES, ConfigError
from app.stores.errors import REDIS_ERRORS, store_error

# Per process. Scripts take well under a millisecond, so few are in use at once. An idle connection takes
# 12 kB, and all that a burst of requests needed stay open.
MAX_CONNECTIONS = 64
MASTER_CHECK_SECONDS = 1.0
RECONNECTS = 2  # enough to reach a restarted server; a dead one costs 15 ms
READ_BYTES = 8 * 1024  # each connection holds such a buffer; that of 32 KiB reads hardly faster


class _RaisesStoreErrors:
    """
    Mixin of redis-py's clients: a command raises StoreUnavailable or StoreRefused when Redis fails.

    NoScriptError passes: `Scripts` answers it by sending the script's text.
    """

    def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute_command(*args, **options)  # type: ignore[misc]
        except NoScriptError:
            raise
        except REDIS_ERRORS as error:
            raise store_error(error) from error


class _RaisesStoreErrorsAtOnce:
    """Mixin of redis-py's pipelines, whose commands are sent by `execute`. WATCH is not covered."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        try:
            replies: list[Any] = super().execute(raise_on_error)  # type: ignore[misc]
        except REDIS_ERRORS as error:
            raise store_error(error) from error
        return replies


class StorePipeline(_RaisesStoreErrorsAtOnce, Pipeline):
    pass


class StoreClient(_RaisesStoreErrors, redis.Redis):
    """redis-py's client of one server, or of the master that sentinels name, with the gateway's errors."""

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> StorePipeline:
        return StorePipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class StoreClusterPipeline(_RaisesStoreErrorsAtOnce, ClusterPipeline):
    pass


class StoreClusterClient(_RaisesStoreErrors, RedisCluster):
    """redis-py's client of a cluster, with the gateway's errors."""

    def pipeline(self, transaction: bool | None = None, shard_hint: Any = None) -> ClusterPipeline:
        pipeline: ClusterPipeline = super().pipeline(transaction, shard_hint)  # type: ignore[no-untyped-call]
        # Its constructor's parameters differ between releases of redis-py
        pipeline.__class__ = StoreClusterPipeline
        return pipeline


def make_client(url: str, timeout_seconds: float) -> Any:
    """
    Return a client for *url*; it connects at the first command, not here.

    Its commands and pipelines raise StoreUnavailable when Redis does not answer in time or cannot be
    written, and StoreRefused when a script failed by its own error.
    Raises ConfigError for an option in its query whose value is of the wrong kind.
    """
    try:
        return _client_for(url, timeout_seconds)
    except ValueError:  # the original message could contain a password
        accepted = "options after its `?` with values of their kind"
        raise ConfigError(NAMES["redis_url"], url.rsplit("@", 1)[-1].split("?")[0] + "?…", accepted) from None


def _client_for(url: str, timeout_seconds: float) -> Any:
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "retry": Retry(ExponentialBackoff(cap=0.01, base=0.005), RECONNECTS, (redis.ConnectionError,)),
        "protocol": 2,  # RESP3 costs a HELLO per connection and has no use here
        "driver_info": None,  # else every new connection makes two more round trips
        "decode_responses": True,
        "socket_read_size": READ_BYTES,
    }
    parts = urlsplit(url)
    if parts.scheme == "redis+cluster":
        options["retry"] = Retry(ExponentialBackoff(cap=0.05, base=0.01), RECONNECTS)
        return _ClusterAtFirstUse(
            lambda: StoreClusterClient.from_url(url.replace("redis+cluster", "redis", 1), **options)
        )
    if parts.scheme == "redis+sentinel":
        return _from_sentinels(parts.netloc, parts.path, dict(parse_qsl(parts.query)), options)
    pool = redis.BlockingConnectionPool.from_url(
        url, max_connections=MAX_CONNECTIONS, timeout=timeout_seconds, **options
    )
    return StoreClient.from_pool(pool)  # which `close` closes as well


class _ClusterAtFirstUse:
    """A cluster's client, made at the first command: its constructor connects, and Redis may be away."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._client: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._client is None:
            try:
                self._client = self._make()
            except REDIS_ERRORS as error:
                raise store_error(error) from error
        return getattr(self._client, name)

    def close(self) -> None:
        """Close the connections; an unused client has none, and must not open them for that."""
        if self._client is not None:
            self._client.close()


class _Connection(SentinelManagedConnection):
    """
    A connection that closes when a reply is late; redis-py's other connection classes do so themselves.

    If it were used again, the late reply would be taken for the reply to the next command: one caller
    would get another caller's key.
    """

    def read_response(self, *args: Any, **options: Any) -> Any:
        return super().read_response(*args, **({"disconnect_on_error": True} | options))


class _TlsConnection(_Connection, SentinelManagedSSLConnection):
    pass


class _MasterPool(SentinelConnectionPool):
    """
    Connections to the master that the sentinels name; every second a caller checks that it is still master.

    redis-py queries the sentinels only when it opens a connection. A master that was replaced while it did
    not answer, and that answers again, accepts writes for about ten seconds until a sentinel makes it a
    replica, and then loses them. A process whose connections to it are open would not notice.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._check_at = 0.0
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]

    def get_connection(self, *args: Any, **options: Any) -> Any:
        now = time.monotonic()
        if now >= self._check_at:
            # Set before the query, so that other callers do not wait for its reply
            self._check_at = now + MASTER_CHECK_SECONDS
            self._close_those_of_a_former_master()
        return super().get_connection(*args, **options)

    def _close_those_of_a_former_master(self) -> None:
        try:
            self.get_master_address()  # type: ignore[no-untyped-call]
        except REDIS_ERRORS:  # without sentinels, open connections may still be to the master
            return


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
        redis_class=StoreClient,
        connection_pool_class=_MasterPool,
        db=int(database or 0),
        username=username or None,
        password=password or None,
        connection_class=_TlsConnection if query.pop("ssl", "") else _Connection,
        **{**options, **query},
    )


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port or 26379)
