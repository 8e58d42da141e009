"""The inputs of an account's form for the requests that it is sent."""

from __future__ import annotations

from typing import Any

from app.accounts.request_settings import NO_SETTINGS, RequestSettings
from app.admin.pages.forms import Form

INPUTS = ("headers", "secret_headers", "auth_header")


def input_texts(settings: RequestSettings) -> dict[str, str]:
    """Return what the form shows of *settings*; values of secret headers are never shown."""
    return {
        "headers": "\n".join(f"{name}={value}" for name, value in settings.headers.items()),
        "auth_header": settings.auth_header,
    }


def settings_fields(form: Form, settings: RequestSettings = NO_SETTINGS) -> dict[str, Any]:
    """Return the fields of an AccountInput that make *settings* those of *form*."""
    removed = dict.fromkeys(settings.headers)
    return {
        "headers": removed | dict(_pair(line) for line in _lines(form, "headers")),
        "secret_headers": {name: value or None for name, value in map(_pair, _lines(form, "secret_headers"))},
        "auth_header": form["auth_header"].strip(),
    }


def _lines(form: Form, name: str) -> list[str]:
    return [line.strip() for line in form[name].splitlines() if line.strip()]


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip(), value.strip()
