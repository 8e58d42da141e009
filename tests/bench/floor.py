"""
The least that a gateway of these packages does: what the gateway's own work is compared with.

gunicorn with gevent, Flask, marshmallow, the adapter of requests, and redis-py: a request is checked, two
scripts are called, and one line is logged. There are no keys, limits, ledger, metrics or failover. Parts of
these packages that the gateway replaces by cheaper ones are used as they come.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import orjson
import structlog
from flask import Flask, Response, request
from marshmallow import INCLUDE, Schema, fields
from redis import BlockingConnectionPool, Redis
from requests import PreparedRequest
from requests import Response as UpstreamResponse
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

READ_BYTES = 65536
SCRIPT = "return redis.call('incrby', KEYS[1], ARGV[1])"
KEY = "floor"

structlog.configure(
    processors=[
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(serializer=lambda fields, **_: orjson.dumps(fields).decode()),
    ],
    cache_logger_on_first_use=True,
)
log = structlog.get_logger()

app = Flask(__name__)
adapter = HTTPAdapter(pool_connections=4, pool_maxsize=2000)
client: Any = Redis(
    connection_pool=BlockingConnectionPool.from_url(os.environ["FLOOR_REDIS"], max_connections=64)
)
script = client.register_script(SCRIPT)


class ModelRequest(Schema):
    class Meta:
        unknown = INCLUDE

    model = fields.String(required=True)
    messages = fields.List(fields.Raw())


MODEL_REQUEST = ModelRequest()


@app.post("/<int:deltas>/<int:pace>/v1/<path:endpoint>")
def forward(deltas: int, pace: int, endpoint: str) -> Response:
    """Forward the request to its own address at the upstream."""
    began = time.perf_counter()
    body = MODEL_REQUEST.load(orjson.loads(request.get_data(cache=False)))
    script([KEY], [1])
    response = adapter.send(prepared(request.path, orjson.dumps(body)), stream=True, proxies={})
    if body.get("stream"):
        return Response(stream(response, began), content_type="text/event-stream")
    content = response.raw.read()
    response.close()
    settle(response, began)
    return Response(content, content_type="application/json")


def prepared(path: str, body: bytes) -> PreparedRequest:
    one = PreparedRequest()
    one.method, one.url, one.body = "POST", os.environ["FLOOR_UPSTREAM"] + path, body
    one.headers = CaseInsensitiveDict(
        {
            "Content-Type": "application/json",
            "Authorization": "Bearer sk-bench",
            "Content-Length": str(len(body)),
        }
    )
    return one


def stream(response: UpstreamResponse, began: float) -> Iterator[bytes]:
    try:
        yield from response.raw.stream(READ_BYTES, decode_content=False)
    finally:
        response.raw.release_conn()
        settle(response, began)


def settle(response: UpstreamResponse, began: float) -> None:
    script([KEY], [-1])
    milliseconds = round((time.perf_counter() - began) * 1000)
    log.info("request_ended", status=response.status_code, total_ms=milliseconds)
