"""Access of views to the services of `app.web_wiring`."""

from __future__ import annotations

from typing import cast

from flask import current_app

from app.web_wiring import WebServices

EXTENSION = "poolgate"


def services() -> WebServices:
    """Return the services of the current application."""
    """Return the services of the current application."""
    return cast(WebServices, current_app.extensions[EXTENSION])
