"""
Requests that this process sends to its own gateway, on behalf of an API key whose secret it does not have.

The key is named in the WSGI environment, where no client can write: variables of headers begin with HTTP_.
So no credential can leak. After authentication such a request is handled like that of any client.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NamedTuple

VARIABLE = "poolgate.key"  # in the WSGI environment
USER_AGENT = "poolgate-playground"

Environ = dict[str, Any]

# Variables of the causing request: its address, and the socket of the client that waits for the response.
_INHERITED = (
    *("SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE", "REMOTE_ADDR", "REMOTE_PORT"),
    *("HTTP_HOST", "HTTP_X_FORWARDED_FOR", "gunicorn.socket"),
)


class KeyReference(NamedTuple):
    """The API key on whose behalf a request is sent."""

    pool: str
    key_id: str


def environ_of(cause: Mapping[str, Any], key: KeyReference, path: str, body: bytes) -> Environ:
    """Return the environment of a POST of the JSON *body* to *path* by *key*, caused by *cause*."""
    inherited = {name: cause[name] for name in cause if name in _INHERITED or name.startswith("wsgi.")}
    return {
        **inherited,
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_USER_AGENT": USER_AGENT,
        "wsgi.input": io.BytesIO(body),
        VARIABLE: key,
    }


def key_of(environ: Mapping[str, Any]) -> KeyReference | None:
    """Return the key on whose behalf this process sends the request; None: a client sent it."""
    key: KeyReference | None = environ.get(VARIABLE)
    return key
