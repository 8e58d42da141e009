"""
How a view reaches what `app.wiring` built, its request, and what was noted with it.

Flask's `request` and `g` find out whose they are anew for every attribute, fifty times a request;
whoever wants several things of them asks `this_request` or `noted` once.
"""

from __future__ import annotations

from typing import Any, cast

from flask import Request, current_app, g, request

from app.wiring import Services

EXTENSION = "poolgate"


def services() -> Services:
    return cast(Services, current_app.extensions[EXTENSION])


def this_request() -> Request:
    return cast(Any, request)._get_current_object()  # type: ignore[no-any-return]


def noted() -> Any:
    """Return what `g` stands for."""
    return cast(Any, g)._get_current_object()
