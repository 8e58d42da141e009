"""How a view reaches what `app.wiring` built."""

from __future__ import annotations

from typing import cast

from flask import current_app

from app.wiring import Services

EXTENSION = "poolgate"


def services() -> Services:
    return cast(Services, current_app.extensions[EXTENSION])
