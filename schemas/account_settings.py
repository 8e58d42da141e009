"""Settings of the requests to an account."""

from __future__ import annotations

import math
import re
import ssl
from collections.abc import Mapping
from typing import Any

from schemas.bounds import (
    MAX_ACCOUNT_HEADERS,
    MAX_CERTIFICATE_CHARS,
    MAX_CERTIFICATES,
    MAX_CREDENTIAL_CHARS,
    MAX_MODEL_NAMES,
    MAX_OWN_FIELD_LEVELS,
    MAX_OWN_FIELDS,
    name_error,
)
from schemas.fields import INTEGERS, Number, Object, Text, Texts
from schemas.validation_errors import invalid

RESPONSE_MODELS = ("requested", "upstream")  # whose model name responses have
WEBSOCKET = ("off", "on")  # whether conversations use WebSocket
MIN_TIMEOUT_SECONDS = 0.1
MAX_TIMEOUT_SECONDS = 86_400
MAX_CONNECT_SECONDS = 60
MAX_HEADER_CHARS = 4096  # of a value
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_FIELD_ERROR = "must be the name of a field, without a path: at most 64 letters, digits, _ and -"
# Headers that the gateway sets: they frame a request, or state the formats of its body and response.
OWN_HEADERS = frozenset(
    (
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer"),
        *("upgrade", "expect", "proxy-authorization", "proxy-authenticate", "proxy-connection"),
        *("accept", "accept-encoding", "content-type", "content-encoding", "traceparent", "tracestate"),
    )
)
# Headers whose values are always secrets.
SECRET_HEADERS = frozenset(
    ("authorization", "cookie", "api-key", "x-api-key", "x-goog-api-key", "x-auth-token")
)


def header_error(name: str) -> str:
    """Return the reason that an account cannot have the header *name*, as a predicate; '' if it can."""
    if _TOKEN.fullmatch(name) is None:
        return "must be the name of a header, of at most 64 characters"
    return "is set by the gateway itself" if name.lower() in OWN_HEADERS else ""


def field_error(name: str) -> str:
    """Return why *name* is no field of a request's body that can be set, as a predicate; '' if it is."""
    return "" if _FIELD.fullmatch(name) else _FIELD_ERROR


class Headers(Object):
    """`{name: value, or null to remove it}`, of at most *max_chars* each."""

    max_chars = MAX_HEADER_CHARS
    secret = False

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        headers = super()._deserialize(value, attr, data)
        if len(headers) > MAX_ACCOUNT_HEADERS:
            raise invalid(f"must have at most {MAX_ACCOUNT_HEADERS} headers")
        if len({name.lower() for name in headers}) < len(headers):
            raise invalid("must name each header once, in upper or lower case")
        for name, text in headers.items():
            if error := header_error(name):
                raise invalid(error, name)
            if text is not None:
                self._check_value(name, text)
        return headers

    def _check_value(self, name: str, text: Any) -> None:
        if type(text) is not str:
            raise invalid("must be a string, or null to remove the header", name)
        if not text or not (text.isascii() and text.isprintable()) or text != text.strip():
            raise invalid("must be one line of printable ASCII without spaces around it", name)
        if len(text) > self.max_chars:
            raise invalid(f"must have at most {self.max_chars} characters", name)
        if not self.secret and name.lower() in SECRET_HEADERS:
            raise invalid("holds a secret: give it as a secret header", name)


class SecretHeaders(Headers):
    """Like Headers, for headers whose values are secrets."""

    max_chars = MAX_CREDENTIAL_CHARS
    secret = True


class AuthHeader(Text):
    """The name of the header that holds the credential; '' for the usual one of the account's kind."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        name = super()._deserialize(value, attr, data)
        if name and (error := header_error(name)):
            raise invalid(error)
        return name


class UpstreamNames(Object):
    """`{model name that callers use: the upstream's name for it, or null to remove it}`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        names = super()._deserialize(value, attr, data)
        if len(names) > MAX_MODEL_NAMES:
            raise invalid(f"must have at most {MAX_MODEL_NAMES} names")
        for name, upstream_name in names.items():
            if error := name_error(name) or ("must be a name, not a pattern" if "*" in name else ""):
                raise invalid(error, name)
            if upstream_name is None:
                continue
            if type(upstream_name) is not str:
                raise invalid("must be a string, or null to remove the name", name)
            if error := name_error(upstream_name):
                raise invalid(error, name)
        return names


class FieldNames(Texts):
    """The names of fields in the body of a request."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        names = super()._deserialize(value, attr, data)
        if len(names) > MAX_OWN_FIELDS:
            raise invalid(f"must have at most {MAX_OWN_FIELDS} names")
        for index, name in enumerate(names):
            if error := field_error(name):
                raise invalid(error, index)
        return names


class FieldValues(Object):
    """`{name of a body field: its JSON value, or null to no longer set it}`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        fields = super()._deserialize(value, attr, data)
        if len(fields) > MAX_OWN_FIELDS:
            raise invalid(f"must have at most {MAX_OWN_FIELDS} fields")
        for name, field_value in fields.items():
            if error := field_error(name):
                raise invalid(error, name)
            if not _is_within(field_value, MAX_OWN_FIELD_LEVELS):
                raise invalid(
                    f"must have at most {MAX_OWN_FIELD_LEVELS} levels, and numbers of 64 bits", name
                )
        return fields


def _is_within(value: Any, levels: int) -> bool:
    """Return whether *value* has at most *levels* of objects and arrays, and no number beyond 64 bits."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return levels > 0 and all(_is_within(each, levels - 1) for each in inner)
    if type(value) is int:
        return value in INTEGERS
    return not isinstance(value, float) or math.isfinite(value)


class Timeout(Number):
    """A number of seconds, at most *max_seconds*; 0 for the timeout of the pool."""

    def __init__(self, max_seconds: int = MAX_TIMEOUT_SECONDS, **more: Any) -> None:
        super().__init__(**more)
        self.max_seconds = max_seconds

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        seconds = super()._deserialize(value, attr, data)
        if seconds != 0 and not MIN_TIMEOUT_SECONDS <= seconds <= self.max_seconds:  # true for NaN as well
            raise invalid(
                f"must be {MIN_TIMEOUT_SECONDS:g} to {self.max_seconds} seconds, or 0 for that of the pool"
            )
        return seconds


class Certificates(Text):
    """CA certificates in PEM, returned without the text between them; '' for none."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        text = super()._deserialize(value, attr, data).strip()
        if not text:
            return ""
        if len(text) > MAX_CERTIFICATE_CHARS:
            raise invalid(f"must have at most {MAX_CERTIFICATE_CHARS} characters")
        if "PRIVATE KEY" in text:
            raise invalid("must have no private key: certificates are not stored as secrets")
        found = _CERTIFICATE.findall(text)
        if not found:
            raise invalid("must be certificates in PEM: -----BEGIN CERTIFICATE----- ...")
        if len(found) > MAX_CERTIFICATES:
            raise invalid(f"must have at most {MAX_CERTIFICATES} certificates")
        pem = "".join(f"{certificate}\n" for certificate in found)
        try:
            ssl.create_default_context(cadata=pem)
        except (ssl.SSLError, ValueError):
            raise invalid("has a certificate that cannot be read") from None
        return pem
