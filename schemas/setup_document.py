"""A declarative set-up of one pool, which `poolgate apply` reads and `poolgate dump` writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, validates_schema
from marshmallow.fields import Field, List, Nested
from marshmallow.validate import Length, Regexp

from schemas.account_settings import header_error
from schemas.accounts import AccountInput, KindRules, ProxyUrl
from schemas.admin import PoolChange, PriceInput
from schemas.api_keys import Expiry, KeyInput
from schemas.bounds import (
    MAX_LIMITS,
    MAX_OWN_PRICES,
    MAX_ROUTE_STEPS,
    MAX_ROUTE_TARGETS,
    MAX_ROUTES,
    MAX_WEBHOOKS,
    POOL_NUMBERS,
)
from schemas.fields import Flag, Integer, Json, Object, ShortText, Text
from schemas.model_routes import RouteFields, RouteTargetInput
from schemas.names import AdminSchema, Name, Names
from schemas.teams import TeamInput
from schemas.validation_errors import invalid
from schemas.webhooks import WebhookFields

VERSION = 1
MAX_ACCOUNTS = 5000
MAX_TEAMS = 5000
MAX_KEYS = 5000
MAX_STEP_CHARS = 8192
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
NOT_A_VARIABLE = "must be the name of an environment variable"


class Variable(Text):
    """The name of an environment variable that holds a secret."""

    def __init__(self, **more: Any) -> None:
        super().__init__(validate=Regexp(VARIABLE, error=NOT_A_VARIABLE), **more)


class SecretInFile(Field[Any]):
    """A field that would contain a secret: it is refused, and the message names the *remedy*."""

    def __init__(self, remedy: str) -> None:
        super().__init__()
        self._remedy = remedy

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        raise invalid(f"must not be in the file: {self._remedy}")


class HeaderVariables(Object):
    """`{header: environment variable}`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        variables = super()._deserialize(value, attr, data)
        for name, variable in variables.items():
            if error := header_error(name):
                raise invalid(error, name[:64])
            if type(variable) is not str or VARIABLE.match(variable) is None:
                raise invalid(NOT_A_VARIABLE, name)
        return variables


class Entries(Object):
    """
    A mapping of at most *max_entries* model names to objects of *schema*.

    Its ValidationError has the valid entries as `valid_data`, and the valid fields of others with the field
    *essential*.
    """

    def __init__(self, schema: Schema, max_entries: int, essential: str = "") -> None:
        super().__init__()
        self.schema, self._max_entries, self._essential = schema, max_entries, essential

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        entries = super()._deserialize(value, attr, data)
        if len(entries) > self._max_entries:
            raise invalid(f"must have at most {self._max_entries} entries")
        loaded, errors = _load_each(self.schema, self._essential, entries)
        if errors:
            raise ValidationError(errors, valid_data=loaded)
        return loaded


class NamedEntries(Json):
    """
    A list of at most *max_entries* objects of *schema* with different names.

    Its ValidationError has the valid entries as `valid_data`, and in place of others their valid fields if
    these include *essential*, else None.
    """

    types, expected = (list,), "a list"

    def __init__(self, schema: Schema, max_entries: int, essential: str = "") -> None:
        super().__init__()
        self.schema, self._max_entries, self._essential = schema, max_entries, essential

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        entries = super()._deserialize(value, attr, data)
        if len(entries) > self._max_entries:
            raise invalid(f"must have at most {self._max_entries} entries")
        loaded, errors = _load_each(self.schema, self._essential, dict(enumerate(entries)))
        seen: set[str] = set()
        for index, entry in loaded.items():
            if entry["name"] in seen:
                errors[index] = {**errors.get(index, {}), "name": ["is the name of an earlier entry"]}
            seen.add(entry["name"])
        if errors:
            raise ValidationError(errors, valid_data=[loaded.get(index) for index in range(len(entries))])
        return list(loaded.values())


def _load_each(
    schema: Schema, essential: str, entries: Mapping[Any, Any]
) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Return those of *entries* that *schema* loads, also in part with the field *essential*, and errors."""
    loaded, errors = {}, {}
    for name, entry in entries.items():
        try:
            loaded[name] = schema.load(entry)
        except ValidationError as error:
            errors[name] = error.messages
            if isinstance(error.valid_data, dict) and essential in error.valid_data:
                loaded[name] = error.valid_data
    return loaded, errors


class PublicProxyUrl(ProxyUrl):
    """The URL of a proxy without a password."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        url: str = super()._deserialize(value, attr, data)
        if urlsplit(url).password:
            raise invalid("must not have a password: name the environment variable of the URL in proxy_env")
        return url


class AccountEntry(AccountInput):
    class Meta(AccountInput.Meta):
        exclude = ("secret_headers",)

    api_key_env = Variable()
    secret_headers_env = HeaderVariables()
    proxy = PublicProxyUrl()
    proxy_env = Variable()
    paused = Flag()
    api_key = SecretInFile("name its environment variable in api_key_env")
    credential = SecretInFile("name its environment variable in api_key_env")

    @validates_schema
    def check_proxy(self, account: dict[str, Any], **_: Any) -> None:
        """Refuse an account with two proxies."""
        if "proxy" in account and "proxy_env" in account:
            raise ValidationError("must not be there with proxy", "proxy_env")


class KeyEntry(KeyInput):
    """An API key; its secret is generated when the key is created."""

    expires_at = Expiry(data_key="expires", allow_none=True)  # null: never
    team = Name(allow_none=True)  # null: none
    queue_seconds = Integer(*POOL_NUMBERS["queue_seconds"], allow_none=True)  # null: the pool's value
    disabled = Flag()
    key = SecretInFile("a key is made, and shown once, when it is created")


class TeamEntry(TeamInput):
    disabled = Flag()


class WebhookEntry(WebhookFields):
    """A webhook; a URL that is a secret comes from an environment variable."""

    name = Name(required=True)
    url_env = Variable()
    secret_env = Variable()
    secret = SecretInFile("name its environment variable in secret_env")

    @validates_schema
    def check_url(self, entry: dict[str, Any], **_: Any) -> None:
        if ("url" in entry) == ("url_env" in entry):
            raise ValidationError("must have one of url and url_env", "url")


class Step(Field[Any]):
    """A step of a model route: text such as `a=90,b@gpu1=10`, or a list of targets."""

    _target = RouteTargetInput()
    _text = ShortText(MAX_STEP_CHARS, 1)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if type(value) is str:
            return self._text.deserialize(value)
        if type(value) is not list or not 0 < len(value) <= MAX_ROUTE_TARGETS:
            raise invalid(f"must be a text, or a list of 1 to {MAX_ROUTE_TARGETS} targets")
        loaded, errors = _load_each(self._target, "", dict(enumerate(value)))
        if errors:
            raise ValidationError(errors)
        return list(loaded.values())


class RouteEntry(AdminSchema):
    steps = List(
        Step(),
        required=True,
        validate=Length(1, MAX_ROUTE_STEPS, error=f"must have 1 to {MAX_ROUTE_STEPS} steps"),
        error_messages={"invalid": "must be a list of steps", "required": "is required"},
    )
    defaults = Nested(RouteFields, load_default=dict)
    overrides = Nested(RouteFields, load_default=dict)


class SetupDocument(AdminSchema):
    """
    A set-up; what it leaves out stays as it is.

    *kinds* are the kinds of accounts, with their rules.
    """

    def __init__(self, kinds: Mapping[str, KindRules], **options: Any) -> None:
        self._kinds = kinds
        super().__init__(**options)

    def on_bind_field(self, field_name: str, field_obj: Field[Any]) -> None:
        """Check accounts by the kinds there are."""
        if isinstance(field_obj, NamedEntries) and field_name == "accounts":
            field_obj.schema = AccountEntry(self._kinds)

    version = Integer(VERSION, VERSION, load_default=VERSION)
    settings = Nested(PoolChange)
    limits = Names(MAX_LIMITS)
    prices = Entries(PriceInput(), MAX_OWN_PRICES)
    accounts = NamedEntries(AccountEntry(), MAX_ACCOUNTS)
    models = Entries(RouteEntry(), MAX_ROUTES, "steps")
    teams = NamedEntries(TeamEntry(), MAX_TEAMS, "name")
    keys = NamedEntries(KeyEntry(), MAX_KEYS, "name")
    webhooks = NamedEntries(WebhookEntry(), MAX_WEBHOOKS)
