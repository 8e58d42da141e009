"""Inputs of an account's form for the settings of requests to the account."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from app.accounts.request_settings import NO_SETTINGS, OFF, ON, REQUESTED, TIMEOUTS, UPSTREAM, RequestSettings
from app.admin.pages.forms import Form
from app.admin.pages.pair_rows import Pair, PairRows
from schemas.account_settings import field_error, header_error
from schemas.bounds import MAX_ACCOUNT_HEADERS, MAX_MODEL_NAMES, MAX_OWN_FIELDS, name_error, parse_number

HEADERS = PairRows("header", MAX_ACCOUNT_HEADERS, is_exact=False)
SECRET_HEADERS = PairRows("secret_header", MAX_ACCOUNT_HEADERS, is_exact=False)
MODEL_NAMES = PairRows("model_name", MAX_MODEL_NAMES)
SET_FIELDS = PairRows("field", MAX_OWN_FIELDS)
ROWS = {
    "headers": HEADERS,
    "secret_headers": SECRET_HEADERS,
    "model_names": MODEL_NAMES,
    "set_fields": SET_FIELDS,
}
NAME_ERRORS: Mapping[str, Callable[[str], str]] = {
    "headers": header_error,
    "secret_headers": header_error,
    "model_names": name_error,
    "set_fields": field_error,
}
MAX_ROWS = {name: rows.most for name, rows in ROWS.items()}
INPUTS = (
    *ROWS,
    "auth_header",
    "response_model",
    "websocket",
    "drop_fields",
    *TIMEOUTS,
    "ca_certificates",
    "proxy",
)
RESPONSE_MODEL = ((REQUESTED, "the requested name"), (UPSTREAM, "the name at the account"))

HIDDEN = "•••"  # in place of a password; no URL has such characters
_PASSWORD = re.compile(r"^((?:[^/]*//)?[^:@]*:).*@", re.DOTALL)  # of any text that may be meant as a URL
WEBSOCKET = ((OFF, "off"), (ON, "on: send only what is new of a conversation"))


def input_names(typed: Mapping[str, str]) -> list[str]:
    """Return the names of all inputs of the form that shows, or was submitted with, the values *typed*."""
    return [*INPUTS, *(name for rows in ROWS.values() for name in rows.fields(typed))]


def row_counts(form: Form) -> dict[str, int]:
    """Return the number of rows of *form*, by the name of the setting."""
    return {name: rows.count(form.typed) for name, rows in ROWS.items()}


def input_texts(settings: RequestSettings) -> dict[str, str]:
    """Return the texts of the inputs for *settings*; values of secret headers are never shown."""
    fields = {name: orjson.dumps(value).decode() for name, value in settings.set_fields.items()}
    return {
        **HEADERS.values(settings.headers.items()),
        **SECRET_HEADERS.values((name, "") for name in settings.secret_headers),
        **MODEL_NAMES.values(settings.model_names.items()),
        **SET_FIELDS.values(fields.items()),
        "auth_header": settings.auth_header,
        "response_model": settings.response_model,
        "websocket": settings.websocket,
        "drop_fields": ", ".join(settings.drop_fields),
        "ca_certificates": settings.ca_certificates,
        "proxy": settings.proxy.url,
        **{name: f"{seconds:g}" for name in TIMEOUTS if (seconds := getattr(settings, name))},
    }


def settings_fields(form: Form, settings: RequestSettings = NO_SETTINGS) -> dict[str, Any]:
    """
    Return the fields of an AccountInput that change *settings* to those in *form*.

    Errors of a row are recorded at its inputs, also those that the schema finds later.
    """
    return {
        "headers": dict.fromkeys(settings.headers) | _values(form, "headers"),
        "secret_headers": _secret_headers(form, settings),
        "auth_header": form["auth_header"].strip(),
        "model_names": dict.fromkeys(settings.model_names) | _values(form, "model_names"),
        **form.filled("response_model", "websocket"),
        "drop_fields": form.lines("drop_fields"),
        "set_fields": dict.fromkeys(settings.set_fields) | _set_fields(form),
        "ca_certificates": form["ca_certificates"],
        "proxy": _proxy(form),
        **{name: _seconds(form[name].strip()) for name in TIMEOUTS},
    }


def _pairs(form: Form, setting: str) -> list[Pair]:
    """Return the filled rows of *setting*; from now on, errors of each are shown at its inputs."""
    pairs = list(ROWS[setting].read(form))
    for pair in pairs:
        is_named = not NAME_ERRORS[setting](pair.name)
        form.redirect_errors((setting, pair.name), pair.value_field if is_named else pair.name_field)
    return pairs


def _values(form: Form, setting: str) -> dict[str, str]:
    return {pair.name: pair.value for pair in _pairs(form, setting)}


def _secret_headers(form: Form, settings: RequestSettings) -> dict[str, str | None]:
    """Return the secret headers to change; a stored header without a new value is left out."""
    pairs = _pairs(form, "secret_headers")
    removed = settings.secret_headers.keys() - {pair.name for pair in pairs}
    given = {
        pair.name: pair.value for pair in pairs if pair.value or pair.name not in settings.secret_headers
    }
    return {**dict.fromkeys(removed), **given}


def _set_fields(form: Form) -> dict[str, Any]:
    fields = {}
    for pair in _pairs(form, "set_fields"):
        try:
            fields[pair.name] = orjson.loads(pair.value)
        except orjson.JSONDecodeError:
            form.add_error(pair.value_field, 'must be JSON, such as 0.2, true or "low" with its quotes')
            continue
        if fields[pair.name] is None:
            form.add_error(pair.value_field, "must not be null")
    return fields


def _proxy(form: Form) -> str:
    """Return the URL of the proxy; if the form is shown again, it is without the password."""
    url = form["proxy"].strip()
    if HIDDEN in url:
        form.add_error("proxy", "Type the password again: it is not shown")
    form.show("proxy", _PASSWORD.sub(rf"\1{HIDDEN}@", url))
    return url


def _seconds(text: str) -> float | str:
    """
    Return *text* as a number, 0 if it is empty; other text is returned as it is, for the schema to refuse.
    """
    seconds = parse_number(text or "0")
    return text if seconds is None else seconds
