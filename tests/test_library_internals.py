"""
What the gateway uses of libraries although they do not promise it: an upgrade that moves it fails here.

Each line names the place that has to change.
"""

from __future__ import annotations

import ast
import email.message
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import pytest
import urllib3
from gevent.server import StreamServer
from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import body, message, wsgi
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers import ggevent
from werkzeug.local import LocalProxy
from wsproto.extensions import PerMessageDeflate

ROOT = Path(__file__).parents[1]
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
PUBLIC = {"_replace", "_asdict", "_fields", "_make", "_exit"}  # of named tuples, and of `os`
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody"


@pytest.fixture(scope="module")
def exchanged() -> Iterator[Any]:
    """A response of urllib3 whose body is not read."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(RESPONSE)
                connection.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        with urllib3.HTTPConnectionPool(*server.getsockname()) as pool:
            response = pool.urlopen("GET", "/", preload_content=False)
            yield response
            response.close()
        thread.join()


def _connection() -> Any:
    connection = urllib3.connection.HTTPConnection("127.0.0.1", 1)
    connection.sock = object()  # connected, as far as it knows
    connection.putrequest("GET", "/")
    return connection


def _request() -> Any:
    return message.Request(Config(), IterUnreader([HEAD]), ("127.0.0.1", 1))


def _chunked_body() -> Any:
    return body.ChunkedReader(_request(), IterUnreader([b""]))


Maker = Callable[[], Any]
INTERNALS: list[tuple[str, Maker, str, str]] = [
    ("urllib3", _connection, "_buffer", "app/upstream/connections.py"),
    ("urllib3", lambda: urllib3.connection.HTTPConnection, "_new_conn", "app/upstream/connections.py"),
    ("urllib3", lambda: urllib3.connection.HTTPConnection, "_tunnel", "app/upstream/connections.py"),
    ("Python", lambda: http.client.HTTPResponse, "_read_status", "app/upstream/response_head.py"),
    ("Python", lambda: http.client.HTTPResponse, "_check_close", "app/upstream/response_head.py"),
    ("Python", lambda: http.client, "_read_headers", "app/upstream/response_head.py"),
    ("Python", email.message.Message, "_headers", "app/upstream/response_head.py"),
    ("Python", email.message.Message, "_payload", "app/upstream/response_head.py"),
    ("gevent", gevent.socket.socket, "_sock", "app/upstream/body.py, app/server/client_connections.py"),
    ("gevent", lambda: gevent.get_hub(), "switch", "app/receiver.py"),
    ("gevent", lambda: gevent.get_hub(), "cancel_wait", "app/receiver.py"),
    ("gevent", lambda: gevent.get_hub().loop, "io", "app/receiver.py"),
    ("gevent", lambda: gevent.get_hub().loop, "timer", "app/receiver.py"),
    ("gevent", lambda: StreamServer, "_start_accepting_if_started", "app/server/gunicorn_server.py"),
    ("gunicorn", lambda: ggevent, "StreamServer", "app/server/gunicorn_worker.py"),
    ("gunicorn", lambda: util, "http_date", "app/server/gunicorn_worker.py"),
    *(
        ("gunicorn", lambda: wsgi, name, "app/server/gunicorn_worker.py, app/server/wsgi_response.py")
        for name in ("Response.process_headers", "WSGIErrorsWrapper", "HEADER_VALUE_RE")
    ),
    ("gunicorn", lambda: util, "is_hoppish", "app/server/wsgi_response.py"),
    ("gunicorn", lambda: ggevent.GeventWorker, "timeout_ctx", "app/server/gunicorn_worker.py"),
    ("gunicorn", lambda: ggevent.GeventWorker, "is_already_handled", "app/server/gunicorn_worker.py"),
    ("gunicorn", lambda: ggevent.GeventWorker, "handle_request", "app/server/gunicorn_worker.py"),
    ("gunicorn", _request, "_expected_100_continue", "app/server/gunicorn_worker.py"),
    ("gunicorn", _request, "must_close", "app/server/gunicorn_worker.py"),
    ("gunicorn", _request, "should_close", "app/server/gunicorn_worker.py"),
    ("gunicorn", _request, "body.reader.length", "app/server/gunicorn_worker.py"),
    ("gunicorn", _chunked_body, "parser", "app/server/gunicorn_worker.py"),
    *(
        ("wsproto", PerMessageDeflate, name, "app/websocket/compression.py")
        for name in ("_inbound_is_compressible", "_inbound_compressed", "_decompressor")
    ),
    ("Werkzeug", lambda: LocalProxy, "_get_current_object", "app/api/context.py"),
]


@pytest.mark.parametrize(
    ("library", "make", "path", "place"), INTERNALS, ids=[f"{row[0]}:{row[2]}" for row in INTERNALS]
)
def test_it_is_still_there(library: str, make: Maker, path: str, place: str) -> None:
    check(library, make(), path, place)


@pytest.mark.parametrize(
    "path",
    [
        *("_original_response.fp.raw._sock", "_original_response.will_close", "_original_response.chunked"),
        *("_original_response.length", "_original_response._method"),
    ],
)
def test_of_a_response(exchanged: Any, path: str) -> None:
    check("urllib3", exchanged, path, "app/upstream/body.py, app/upstream/websocket.py")


@pytest.mark.parametrize("path", ["_sock", "_parser.parse_error", "socket_timeout"])
def test_of_a_connection_to_redis(redis_client: Any, path: str) -> None:
    pool = redis_client.connection_pool
    connection = pool.get_connection()
    try:
        check("redis", connection, path, "app/stores/fast_evalsha.py")
    finally:
        pool.release(connection)


def check(library: str, owner: Any, path: str, place: str) -> None:
    try:
        attrgetter(path)(owner)
    except AttributeError as error:
        release = "" if library == "Python" else version(library)
        pytest.fail(f"{library} {release} has no `{path}` any more ({error}); it is used in {place}")
    finally:
        if isinstance(owner, gevent.socket.socket):
            owner.close()


def test_every_one_is_listed() -> None:
    """A private attribute that a module reads of another's object has its line here."""
    listed = {name for _, _, path, _ in INTERNALS for name in path.split(".")}
    listed |= {"_original_response", "_sock", "_parser"}
    modules = {path: ast.parse(path.read_bytes()) for path in (ROOT / "app").rglob("*.py")}
    defined = {path: _defined(tree) for path, tree in modules.items()}
    of_app = PUBLIC.union(*defined.values())
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, tree in modules.items()
        for name, is_own in _read(tree)
        if name not in listed and name not in (of_app if is_own else PUBLIC | defined[path])
    }

    assert not found, f"not promised by a library, and not checked here: {sorted(found)}"


def _read(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Yield the private attributes that a module reads, and whether it reads them of its own objects."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            yield node.attr, isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def _defined(tree: ast.Module) -> set[str]:
    """Return the names of functions, classes, attributes and slots that a module defines."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Constant(value=str(name)):
                names.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
    return names
