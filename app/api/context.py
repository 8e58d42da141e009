"""
The services, the request and its globals, without Flask's proxies.

Attribute access on `request`, `g` and `current_app` is slow, and a request needs about fifty. Use these
functions to read several attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Request, current_app, g, request

from app.web_wiring import WebServices

EXTENSION = "poolgate"

current_request: Callable[[], Request] = cast(Any, request)._get_current_object
request_globals: Callable[[], Any] = cast(Any, g)._get_current_object
application: Callable[[], Flask] = cast(Any, current_app)._get_current_object


def services() -> WebServices:
    """Return the services of this application, from `app.web_wiring`."""
    constructed: WebServices = application().extensions[EXTENSION]
    return constructed
