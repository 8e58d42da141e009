"""The inputs of an account's form for the requests that it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from app.accounts.request_settings import NO_SETTINGS, OFF, ON, REQUESTED, TIMEOUTS, UPSTREAM, RequestSettings
from app.admin.pages.forms import Form
from app.errors import InvalidRequest
from schemas.bounds import parse_number

INPUTS = (
    "headers",
    "secret_headers",
    "auth_header",
    "model_names",
    "response_model",
    "websocket",
    "drop_fields",
    "set_fields",
    *TIMEOUTS,
    "ca_certificates",
    "proxy",
)
RESPONSE_MODEL = ((REQUESTED, "the requested name"), (UPSTREAM, "the name of the upstream"))

WEBSOCKET = ((OFF, "off"), (ON, "on: send only what is new of a conversation"))


def input_texts(settings: RequestSettings) -> dict[str, str]:
    """Return what the form shows of *settings*; values of secret headers are never shown."""
    return {
        "headers": _shown_pairs(settings.headers),
        "auth_header": settings.auth_header,
        "model_names": _shown_pairs(settings.model_names),
        "response_model": settings.response_model,
        "websocket": settings.websocket,
        "drop_fields": ", ".join(settings.drop_fields),
        "set_fields": _shown_pairs(
            {name: orjson.dumps(value).decode() for name, value in settings.set_fields.items()}
        ),
        "ca_certificates": settings.ca_certificates,
        "proxy": settings.proxy.url,
        **{name: f"{seconds:g}" for name in TIMEOUTS if (seconds := getattr(settings, name))},
    }


def settings_fields(form: Form, settings: RequestSettings = NO_SETTINGS) -> dict[str, Any]:
    """
    Return the fields of an AccountInput that make *settings* those of *form*.

    JSON that cannot be read becomes an error of *form*.
    """
    set_fields: dict[str, Any] = {}
    with form.collect_errors():
        set_fields = {name: _json(text) for name, text in map(_pair, _lines(form, "set_fields"))}
    removed = dict.fromkeys(settings.headers)
    return {
        "headers": removed | dict(_pair(line) for line in _lines(form, "headers")),
        "secret_headers": {name: value or None for name, value in map(_pair, _lines(form, "secret_headers"))},
        "auth_header": form["auth_header"].strip(),
        "model_names": dict.fromkeys(settings.model_names) | dict(map(_pair, _lines(form, "model_names"))),
        **form.filled("response_model", "websocket"),
        "drop_fields": form.lines("drop_fields"),
        "set_fields": dict.fromkeys(settings.set_fields) | set_fields,
        "ca_certificates": form["ca_certificates"],
        "proxy": form["proxy"].strip(),
        **{name: _seconds(form[name].strip()) for name in TIMEOUTS},
    }


def _shown_pairs(values: Mapping[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in values.items())


def _lines(form: Form, name: str) -> list[str]:
    return [line.strip() for line in form[name].splitlines() if line.strip()]


def _json(text: str) -> Any:
    """Return the value of *text*. Raises InvalidRequest, which names the input."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidRequest(
            "must be lines of FIELD=JSON, such as temperature=0.2", param="set_fields"
        ) from None
    if value is None:
        raise InvalidRequest("must have other values than null", param="set_fields")
    return value


def _seconds(text: str) -> float | str:
    """Return the number of *text*, 0 where it is empty, or the text if it is none, for a schema to refuse."""
    seconds = parse_number(text or "0")
    return text if seconds is None else seconds


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip(), value.strip()
