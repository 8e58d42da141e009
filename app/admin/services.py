"""Access of views to the services of `app.wiring`."""

from __future__ import annotations

from typing import cast

from flask import current_app

from app.wiring import Services

EXTENSION = "poolgate"


def services() -> Services:
    """Return the services of the current application."""
    """Return the services of the current application."""
    return cast(Services, current_app.extensions[EXTENSION])
