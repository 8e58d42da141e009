"""Settings of the requests to one account, by which they differ from those to others of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

import orjson

from app.accounts.own_proxy import NO_PROXY, OwnProxy, changed_proxy, check_readable
from app.config import TimeLimits
from app.errors import InvalidRequest
from schemas.bounds import MAX_ACCOUNT_HEADERS, MAX_MODEL_NAMES, MAX_OWN_FIELD_BYTES, MAX_OWN_FIELDS

Headers = Mapping[str, str]
Body = dict[str, Any]  # the JSON body of a request

OFF, ON = "off", "on"  # whether conversations use WebSocket
# Whose model name the responses have: the caller's or the upstream's
REQUESTED, UPSTREAM = "requested", "upstream"


class RequestSettingsJson(TypedDict):
    """The settings that operators may see; of secret headers only the names."""

    headers: dict[str, str]
    secret_headers: list[str]
    auth_header: str
    model_names: dict[str, str]
    response_model: str
    websocket: str
    drop_fields: list[str]
    set_fields: dict[str, Any]
    timeout_seconds: float
    first_token_timeout_seconds: float
    connect_timeout_seconds: float
    ca_certificates: str
    proxy: str
    proxy_has_password: bool


TIMEOUTS = ("timeout_seconds", "first_token_timeout_seconds", "connect_timeout_seconds")
# Settings that a change replaces; the others are merged.
REPLACED = ("auth_header", "response_model", "websocket", "ca_certificates", *TIMEOUTS)


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """
    Settings of the requests to an account; a change of any makes a new version of the account.

    The values of *secret_headers*, and the proxy's password, are '' where the account was read without its
    credential.
    """

    headers: Headers = field(default_factory=dict)
    secret_headers: Headers = field(default_factory=dict, repr=False)
    auth_header: str = ""  # header for the credential, in place of that of the account's kind
    model_names: Mapping[str, str] = field(default_factory=dict)  # caller's model name -> upstream's name
    response_model: str = REQUESTED  # whose name responses of models in `model_names` have
    websocket: str = OFF  # whether requests of conversations use WebSocket
    drop_fields: tuple[str, ...] = ()  # fields to remove from bodies, by the names of its protocol
    set_fields: Mapping[str, Any] = field(default_factory=dict)  # fields to set in bodies
    # Limit for a complete response; in this and the next two 0 means that of the pool
    timeout_seconds: float = 0
    first_token_timeout_seconds: float = 0  # limit for the beginning of a response
    connect_timeout_seconds: float = 0
    ca_certificates: str = ""  # PEM; replaces the usual authorities of TLS servers
    proxy: OwnProxy = NO_PROXY  # replaces the proxies that the environment names

    def public(self) -> RequestSettingsJson:
        """Return the settings without secrets."""
        return {
            "headers": dict(self.headers),
            "secret_headers": list(self.secret_headers),
            "auth_header": self.auth_header,
            "model_names": dict(self.model_names),
            "response_model": self.response_model,
            "websocket": self.websocket,
            "drop_fields": list(self.drop_fields),
            "set_fields": dict(self.set_fields),
            "timeout_seconds": self.timeout_seconds,
            "first_token_timeout_seconds": self.first_token_timeout_seconds,
            "connect_timeout_seconds": self.connect_timeout_seconds,
            "ca_certificates": self.ca_certificates,
            "proxy": self.proxy.url,
            "proxy_has_password": self.proxy.has_password,
        }

    def dumps(self) -> str:
        """Return the settings in stored form, without secrets; '' if none is set."""
        default: Mapping[str, Any] = NO_SETTINGS.public()
        stored = {name: value for name, value in self.public().items() if value != default[name]}
        return orjson.dumps(stored).decode() if stored else ""

    def dump_secrets(self) -> str:
        """Return the secret settings, to be encrypted; '' if there are none."""
        password = {"proxy_password": self.proxy.password} if self.proxy.password else {}
        if not (self.secret_headers or password):
            return ""
        return orjson.dumps({"headers": self.secret_headers, **password}).decode()

    def apply_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return *headers* with those of the account, which replace others of the same name."""
        own = {**self.headers, **self.secret_headers}
        replaced = {name.lower() for name in own}
        return {name: value for name, value in headers.items() if name.lower() not in replaced} | own

    def time_limits(self, limits: TimeLimits) -> TimeLimits:
        """Return *limits*, which are those of the pool, with the timeouts of the account."""
        changed: dict[str, float] = {}
        if first := self.first_token_timeout_seconds:
            changed = dict.fromkeys(("headers", "first_progress", "first_progress_reasoning"), first)
        if self.connect_timeout_seconds:
            changed["connect"] = min(self.connect_timeout_seconds, limits.total)
        return replace(limits, **changed) if changed else limits

    def apply_to_body(self, body: Body, model: str) -> Body:
        """Return *body*, of a request for *model* (the caller's name), as it is sent to the account."""
        name = self.model_names.get(model)
        if name is not None and body.get("model") == model:
            body = {**body, "model": name}
        if self.drop_fields or self.set_fields:
            body = {name: value for name, value in body.items() if name not in self.drop_fields}
            body |= self.set_fields
        return body


NO_SETTINGS = RequestSettings()  # the settings of most accounts; code compares by identity


def settings_from(text: str, secrets: str) -> RequestSettings:
    """Return the settings in *text* and the decrypted *secrets*; '' means none."""
    if not text:
        return NO_SETTINGS
    stored, secret = orjson.loads(text), orjson.loads(secrets or "{}")
    values = secret.get("headers", {})
    return RequestSettings(
        headers=stored.get("headers", {}),
        secret_headers={name: values.get(name, "") for name in stored.get("secret_headers", ())},
        model_names=stored.get("model_names", {}),
        drop_fields=tuple(stored.get("drop_fields", ())),
        set_fields=stored.get("set_fields", {}),
        proxy=OwnProxy(
            stored.get("proxy", ""), stored.get("proxy_has_password", False), secret.get("proxy_password", "")
        ),
        **{name: stored[name] for name in REPLACED if name in stored},
    )


def changed_settings(settings: RequestSettings, fields: Mapping[str, Any]) -> RequestSettings:
    """
    Return *settings* with those of *fields*, a valid AccountInput, as a JSON merge patch (RFC 7396).

    Raises InvalidRequest for too many of one setting, and for secrets that cannot be read.
    """
    headers, secret = fields.get("headers", {}), fields.get("secret_headers", {})
    changed = replace(
        settings,
        headers=_merged(_merged(settings.headers, dict.fromkeys(secret)), headers),
        secret_headers=_merged(_merged(settings.secret_headers, dict.fromkeys(headers)), secret),
        model_names=_without_nulls({**settings.model_names, **fields.get("model_names", {})}),
        drop_fields=tuple(dict.fromkeys(fields.get("drop_fields", settings.drop_fields))),
        set_fields=_without_nulls({**settings.set_fields, **fields.get("set_fields", {})}),
        proxy=changed_proxy(settings.proxy, fields["proxy"]) if "proxy" in fields else settings.proxy,
        **{name: fields[name] for name in REPLACED if name in fields},
    )
    _check_bounds(changed)
    return changed if changed != NO_SETTINGS else NO_SETTINGS


def _check_bounds(changed: RequestSettings) -> None:
    if len(changed.headers) + len(changed.secret_headers) > MAX_ACCOUNT_HEADERS:
        raise InvalidRequest(
            f"An account has at most {MAX_ACCOUNT_HEADERS} headers of its own", param="headers"
        )
    unreadable = [name for name, value in changed.secret_headers.items() if not value]
    if unreadable:
        raise InvalidRequest(
            f"The values of {', '.join(unreadable)} cannot be read here: give them again, or remove them",
            param="secret_headers",
        )
    if len(changed.model_names) > MAX_MODEL_NAMES:
        raise InvalidRequest(f"An account has at most {MAX_MODEL_NAMES} names of models", param="model_names")
    _check_own_fields(changed)
    check_readable(changed.proxy)


def _check_own_fields(changed: RequestSettings) -> None:
    if (
        len(changed.set_fields) > MAX_OWN_FIELDS
        or len(orjson.dumps(changed.set_fields)) > MAX_OWN_FIELD_BYTES
    ):
        raise InvalidRequest(
            f"An account sets at most {MAX_OWN_FIELDS} fields, of {MAX_OWN_FIELD_BYTES} bytes together",
            param="set_fields",
        )
    if both := set(changed.drop_fields) & changed.set_fields.keys():
        name = min(both)
        raise InvalidRequest(f"'{name}' cannot be both left out and set", param=f"set_fields.{name}")


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _merged(headers: Headers, changes: Mapping[str, str | None]) -> Headers:
    """Return *headers* with *changes*; None removes one. Names are compared without letter case."""
    changed = {name.lower() for name in changes}
    retained = {name: value for name, value in headers.items() if name.lower() not in changed}
    return retained | {name: value for name, value in changes.items() if value is not None}
