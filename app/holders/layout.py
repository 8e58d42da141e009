"""The layout of the pages of a key's holder: their navigation, and addresses of the gateway."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, request

from app.admin.pages.layout import register_formatting
from app.errors import documented_codes

GUIDE = "/docs"
SECTIONS = (
    ("overview.show", "Usage"),
    ("requests.show", "Requests"),
    ("models.show", "Models"),
    ("clients.show", "Clients"),
)


def register(app: Flask) -> None:
    """Register the template context, the filters and the globals of the pages on *app*."""
    app.context_processor(_context)
    register_formatting(app)
    app.jinja_env.filters.update(help=help_address)
    app.jinja_env.globals.update(guide=GUIDE)


def base_url() -> str:
    """Return the base URL of the gateway: these pages are on its port."""
    return f"{request.host_url}v1"


def help_address(code: str) -> str:
    """Return the address of the explanation of the error *code* in the guide, '' where there is none."""
    return f"{GUIDE}/errors#{code}" if code in documented_codes() else ""


def _context() -> dict[str, Any]:
    return {"sections": SECTIONS, "pools": (), "key": g.get("holder")}
