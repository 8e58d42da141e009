"""Error pages of the holders' application."""

from __future__ import annotations

from flask import Flask, Response, make_response, render_template, url_for

from app.admin.errors import add_retry_after, register_handlers
from app.admin.unhandled_forms import read_unhandled_form
from app.errors import GatewayError


def register(app: Flask) -> None:
    """Register a page for every failure on *app*."""
    register_handlers(app, error_page)


def error_page(error: GatewayError) -> Response:
    """Return the page that shows *error*."""
    page = render_template(
        "holders/error.html",
        error=error,
        unhandled=read_unhandled_form(error),
        sign_in_url=url_for("sign_in.show"),
    )
    response = make_response(page, error.status)
    add_retry_after(response, error)
    return response
