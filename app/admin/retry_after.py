"""Responses to sign-in attempts that were refused for a while."""

from __future__ import annotations

from flask import Response

from app.errors import GatewayError


def with_retry_after(page: Response, error: GatewayError) -> Response:
    """Return *page* with the status of *error* and a Retry-After header."""
    page.status_code = error.status
    page.headers["Retry-After"] = str(max(1, round(error.retry_after_seconds or 1)))
    return page
