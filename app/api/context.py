"""
How a view reaches what `app.wiring` built, its request, and what was noted with it.

Flask's `request`, `g` and `current_app` look up whose they are for every attribute, fifty times a
request; `this_request`, `noted` and `services` do it once, and without the proxy's own calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Request, current_app, g, request

from app.wiring import Services

EXTENSION = "poolgate"


this_request: Callable[[], Request] = cast(Any, request)._get_current_object
noted: Callable[[], Any] = cast(Any, g)._get_current_object  # what `g` stands for
_this_app: Callable[[], Flask] = cast(Any, current_app)._get_current_object


def services() -> Services:
    found: Services = _this_app().extensions[EXTENSION]
    return found
