"""What a command needs that is no test: a store, an upstream, and a gateway of two workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.gateway import Gateway, running_gateway
from tests.support.redis import private_redis, short_folder
from tests.support.upstream_client import ScriptedUpstream


@contextmanager
def running_parts(**env: str) -> Iterator[tuple[Gateway, ScriptedUpstream]]:
    upstream = ScriptedUpstream().start()
    try:
        with (
            short_folder() as home,
            private_redis() as url,
            running_gateway(url, home, **env) as gateway,
        ):
            yield gateway, upstream
    finally:
        upstream.stop()
