"""Error pages of the holders' application."""

from __future__ import annotations

from flask import Flask, Response, make_response, render_template

from app.admin.errors import add_retry_after, register_handlers
from app.errors import GatewayError


def register(app: Flask) -> None:
    """Register a page for every failure on *app*."""
    register_handlers(app, error_page)


def error_page(error: GatewayError) -> Response:
    """Return the page that shows *error*."""
    response = make_response(render_template("holders/error.html", error=error), error.status)
    add_retry_after(response, error)
    return response
