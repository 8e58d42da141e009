"""The body that creates or changes an upstream account."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, validates_schema
from marshmallow.fields import Field
from marshmallow.validate import Length, OneOf

from schemas.account_settings import (
    MAX_CONNECT_SECONDS,
    RESPONSE_MODELS,
    WEBSOCKET,
    AuthHeader,
    Certificates,
    FieldNames,
    FieldValues,
    Headers,
    SecretHeaders,
    Timeout,
    UpstreamNames,
)
from schemas.addresses import is_metadata_address
from schemas.bounds import MAX_ACCOUNT_MODELS
from schemas.fields import Integer, Text, Texts
from schemas.names import AdminSchema, ModelNames, Name
from schemas.validation_errors import invalid

PROTOCOLS = ("chat", "responses")
STREAM_UPSTREAM = ("pool", "auto", "always", "never")  # pool: the setting of the pool applies

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")  # socks5 resolves names here, socks5h at the proxy
MAX_PROXY_CHARS = 2048
METADATA_NAMES = frozenset(["metadata", "metadata.google.internal", "instance-data"])


class HttpUrl(Text):
    """An http or https URL without credentials, whose host is no cloud metadata service."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text: str = super()._deserialize(value, attr, data)
        if not text.isascii() or not text.isprintable() or " " in text:
            raise invalid("must be an ASCII URL without spaces")
        try:
            url = urlsplit(text)
            host, _port = url.hostname, url.port
        except ValueError:
            raise invalid("must be a URL with a host and a port that exist") from None
        if url.scheme not in ("http", "https") or not host:
            raise invalid("must be an http or https URL with a host")
        if _is_metadata_host(host):
            raise invalid("must not be a link-local address or a cloud's metadata service")
        if "@" in url.netloc:
            raise invalid("must not hold credentials")
        return text


ENDPOINTS = ("/chat/completions", "/responses", "/models")  # of what people copy as a base URL


class BaseUrl(HttpUrl):
    """A URL to which the paths of endpoints are appended, returned without trailing slashes."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        if "?" in text or "#" in text:
            raise invalid("must not have a query or a fragment")
        text = text.rstrip("/")
        if endpoint := next(filter(text.endswith, ENDPOINTS), ""):
            raise invalid(f"must end before {endpoint}, which is added: {text.removesuffix(endpoint)}")
        return text


class ProxyUrl(Text):
    """The URL of a proxy, which may contain credentials; '' for none."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text: str = super()._deserialize(value, attr, data)
        if not text:
            return ""
        if len(text) > MAX_PROXY_CHARS or not text.isascii() or not text.isprintable() or " " in text:
            raise invalid(f"must be an ASCII URL of at most {MAX_PROXY_CHARS} characters without spaces")
        try:
            url = urlsplit(text)
            host, _port = url.hostname, url.port
        except ValueError:
            raise invalid("must be a URL with a host and a port that exist") from None
        if url.scheme not in PROXY_SCHEMES or not host:
            raise invalid(f"must be a URL with a host, and of {', '.join(PROXY_SCHEMES)}")
        if url.path not in ("", "/") or "?" in text or "#" in text:
            raise invalid("must be a URL without a path")
        if _is_metadata_host(host):
            raise invalid("must not be a link-local address or a cloud's metadata service")
        if "@" in url.netloc and not url.username:
            raise invalid("must have a user name before the password")
        return text.rstrip("/")


def _is_metadata_host(host: str) -> bool:
    """
    Return whether *host* is a cloud metadata service, which hands out its machine's credentials.

    Other private addresses are allowed, since self-hosted models use them. Names are not resolved here;
    app/upstream/ssrf_guard.py checks the address of each connection.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        try:
            address = ip_address(socket.inet_aton(host))  # notations such as 0xa9fea9fe and 169.254.43518
        except OSError:
            return host.rstrip(".") in METADATA_NAMES
    return is_metadata_address(address)


@dataclass(frozen=True, slots=True)
class KindRules:
    """What the accounts of one kind may have."""

    needs_base_url: bool
    protocols: tuple[str, ...]  # upstream protocols that they may use


class AccountInput(AdminSchema):
    """
    The fields that were given; absent fields take the defaults of the account's kind.

    Load with `partial=True` to change an account; *kinds* are not needed then.
    """

    def __init__(self, kinds: Mapping[str, KindRules] | None = None, **options: Any) -> None:
        self._kinds = kinds or {}
        super().__init__(**options)

    def on_bind_field(self, field_name: str, field_obj: Field[Any]) -> None:
        """Accept the kinds there are."""
        if field_name == "kind" and self._kinds:
            names = tuple(self._kinds)
            field_obj.validators = [OneOf(names, error=f"must be {' or '.join(names)}")]

    name = Name(required=True)
    kind = Text(required=True)
    base_url = BaseUrl()
    models = ModelNames(MAX_ACCOUNT_MODELS)  # empty: any model
    weight = Integer(1, 1000)
    cap = Integer(1, 100_000)  # parallel requests
    group = Integer(0, 99)
    stream_upstream = Text(
        validate=OneOf(STREAM_UPSTREAM, error=f"must be one of {', '.join(STREAM_UPSTREAM)}")
    )
    headers = Headers()
    secret_headers = SecretHeaders()
    auth_header = AuthHeader()
    model_names = UpstreamNames()
    drop_fields = FieldNames()
    set_fields = FieldValues()
    timeout_seconds = Timeout()
    first_token_timeout_seconds = Timeout()
    connect_timeout_seconds = Timeout(MAX_CONNECT_SECONDS)
    ca_certificates = Certificates()
    proxy = ProxyUrl()
    response_model = Text(validate=OneOf(RESPONSE_MODELS, error=f"must be {' or '.join(RESPONSE_MODELS)}"))
    websocket = Text(validate=OneOf(WEBSOCKET, error=f"must be {' or '.join(WEBSOCKET)}"))
    wires = Texts(PROTOCOLS, validate=Length(min=1, error="must not be empty"))

    @validates_schema
    def check_together(self, account: dict[str, Any], **_: Any) -> None:
        kind = account.get("kind")
        if any("*" in model for model in account.get("models", ())):
            raise ValidationError(
                "must be names, not patterns: an upstream has no model of that name", "models"
            )
        rules = self._kinds.get(account.get("kind", ""))
        if rules is None:
            return
        article = "an" if str(kind)[0] in "aeiou" else "a"
        if rules.needs_base_url and "base_url" not in account:
            raise ValidationError(f"is required for {article} {kind} account", "base_url")
        if not set(account.get("wires", ())) <= set(rules.protocols):
            allowed = " and ".join(rules.protocols)
            raise ValidationError(f"must be {allowed} alone for {article} {kind} account", "wires")
