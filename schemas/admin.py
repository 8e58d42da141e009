"""Bodies and query parameters of the admin API."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from marshmallow.validate import OneOf, Range

from schemas.accounts import AccountInput
from schemas.api_keys import Expiry
from schemas.bounds import POOL_NUMBERS, parse_integer
from schemas.fields import NOT_EMPTY, Flag, Integer, Number, Object, Text
from schemas.key_labels import is_label_grouping
from schemas.names import AdminSchema, Name
from schemas.validation_errors import invalid

MAX_OVERLAP_SECONDS = 90 * 86400
MAX_DOLLARS = 100_000  # US dollars per million tokens
MAX_MINIMUM = 10**12  # milliseconds, or micro-dollars
MAX_MODEL_TOKENS = 100_000_000  # tokens of a model's context or output: a hundred times the largest
SPANS = ("1h", "24h", "7d", "30d", "90d")
REFUSAL_SPANS = SPANS[:-1]
BY = ("all", "key", "account", "model", "team", "endpoint", "owner")
ONE_OF_SPANS = f"must be one of {', '.join(SPANS)}"


class Digits(Text):
    """An integer in a query string, from *min_value* to *max_value*."""

    def __init__(self, min_value: int, max_value: int, **more: Any) -> None:
        super().__init__(**more)
        self.allowed = range(min_value, max_value + 1)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        number = parse_integer(super()._deserialize(value, attr, data))
        if number is not None and number in self.allowed:
            return number
        raise invalid(f"must be a whole number from {self.allowed[0]} to {self.allowed[-1]}")


class BooleanText(Text):
    """`true` or `false` in a query string."""

    def __init__(self, **more: Any) -> None:
        super().__init__(validate=OneOf(("true", "false"), error="must be true or false"), **more)


class PoolQuery(AdminSchema):
    pool = Text(load_default="default")


class RemoveAccountQuery(PoolQuery):
    force = BooleanText()


class PricesQuery(PoolQuery):
    model = Text()  # prefix of model names


class ResolutionQuery(PoolQuery):
    key = Text()  # the name of an API key


class Grouping(Text):
    """One of `BY`, or `label:NAME`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        by = super()._deserialize(value, attr, data)
        if by not in BY and not is_label_grouping(by):
            raise invalid(f"must be one of {', '.join(BY)}, or label: with the name of a label")
        return by


class SeriesQuery(PoolQuery):
    """
    The range is `span`, or from the date `from` to the date `to`.

    Dates without an offset are in the pool's time zone. At most one of `key`, `team`, `account`, `model` and
    `endpoint` may be set.
    """

    span = Text(validate=OneOf(SPANS, error=ONE_OF_SPANS))
    since = Text(data_key="from", validate=NOT_EMPTY)
    until = Text(data_key="to", validate=NOT_EMPTY)
    by = Grouping(load_default="all")
    key = Text(validate=NOT_EMPTY)
    team = Text(validate=NOT_EMPTY)
    account = Text(validate=NOT_EMPTY)
    model = Text(validate=NOT_EMPTY)
    endpoint = Text(validate=NOT_EMPTY)
    top = Digits(1, 1000, load_default=20)  # lines that are returned: those with the most requests


class RefusalsQuery(PoolQuery):
    span = Text(
        load_default="24h", validate=OneOf(REFUSAL_SPANS, error=f"must be one of {', '.join(REFUSAL_SPANS)}")
    )
    key = Text()
    team = Text()
    owner = Text()
    label = Text()  # name=value or name; several are separated by commas


class KeysQuery(PoolQuery):
    team = Text()
    owner = Text()
    label = Text()  # name=value or name; several are separated by commas
    state = Text(
        validate=OneOf(("active", "disabled", "expired"), error="must be active, disabled or expired")
    )
    model = Text()  # a model that the keys may use


class RequestsQuery(PoolQuery):
    key = Text()
    account = Text()
    tried = Text()  # account of any attempt
    model = Text()
    requested = Text()  # the model as the client named it
    team = Text()
    owner = Text()
    label = Text()  # name=value or name; several are separated by commas
    endpoint = Text()
    status = Text()  # several are separated by commas
    error = Text()
    retried = BooleanText()
    cached = BooleanText()
    min_ms = Digits(0, MAX_MINIMUM)
    min_cost = Digits(0, MAX_MINIMUM)  # micro-dollars
    refused = BooleanText()
    since = Expiry()
    until = Expiry()
    cursor = Text()
    limit = Digits(1, 200, load_default=50)


class RequestQuery(PoolQuery):
    entry = Text()


class AuditQuery(AdminSchema):
    who = Text()
    action = Text()
    pool = Text()
    cursor = Text()
    limit = Digits(1, 200, load_default=50)


class HealthQuery(AdminSchema):
    pool = Text()


class NoQuery(AdminSchema):
    pass


class PoolInput(AdminSchema):
    name = Text(required=True)
    policy = Text()
    zone = Text()


class TimeLimits(Object):
    """`{model pattern: {name: seconds, or null for the default}}`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        for pattern, limits in super()._deserialize(value, attr, data).items():
            if not pattern or type(limits) is not dict:
                raise invalid("must be an object of time limits under a model's name", pattern)
            for name, seconds in limits.items():
                known = seconds is None or type(seconds) in (int, float)
                if not known or (seconds is not None and not math.isfinite(seconds)):
                    raise invalid("must be a number of seconds, or null", pattern, name)
        return value


class PoolChange(AdminSchema):
    policy = Text()
    zone = Text()
    names_accounts = Flag()
    tells_windows = Flag()
    holders_rotate = Flag()
    stream_upstream = Text()
    affinity_minutes = Integer(*POOL_NUMBERS["affinity_minutes"])
    keep_days = Integer(*POOL_NUMBERS["keep_days"])
    assumed_output_tokens = Integer(*POOL_NUMBERS["assumed_output_tokens"])
    assumed_context_tokens = Integer(*POOL_NUMBERS["assumed_context_tokens"])
    queue_seconds = Integer(*POOL_NUMBERS["queue_seconds"])
    queue_length = Integer(*POOL_NUMBERS["queue_length"])
    time_limits = TimeLimits()


class NewAccount(AccountInput):
    credential = Text()
    chatgpt_account_id = Text()
    must_answer = Flag()  # adds the account only if its server lists its models


class AccountChange(AccountInput):
    class Meta(AccountInput.Meta):
        fields = (
            *("models", "weight", "cap", "group", "stream_upstream", "credential"),
            *("headers", "secret_headers", "auth_header", "model_names", "response_model"),
            "websocket",
            *("drop_fields", "set_fields"),
            *("timeout_seconds", "first_token_timeout_seconds", "connect_timeout_seconds"),
            *("ca_certificates", "proxy"),
        )

    credential = Text(validate=NOT_EMPTY)


class AuthJson(AdminSchema):
    """`auth_json` is the content of the file, as an object."""

    name = Name(required=True)
    auth_json = Object(required=True)


class SignInInput(AdminSchema):
    name = Name(required=True)


class Address(AdminSchema):
    address = Text(required=True)


class TrialInput(AdminSchema):
    model = Text()


class Rotation(AdminSchema):
    overlap_seconds = Integer(0, MAX_OVERLAP_SECONDS)


class LimitInput(AdminSchema):
    """`limit` is a limit in its text form: `1000000 total_tokens/day`."""

    limit = Text(required=True)
    model = Text(validate=NOT_EMPTY)
    mode = Text(validate=OneOf(("strict", "balanced"), error="must be strict or balanced"))


class Dollars(Number):
    """US dollars per million tokens."""

    def __init__(self, **more: Any) -> None:
        text = f"must be from 0 to {MAX_DOLLARS}"
        super().__init__(validate=Range(0, MAX_DOLLARS, error=text), **more)


class PriceInput(AdminSchema):
    input = Dollars(required=True)
    output = Dollars(required=True)
    cached_input = Dollars()
    context = Integer(1, MAX_MODEL_TOKENS)
    max_output = Integer(1, MAX_MODEL_TOKENS)
    image = Integer(1, MAX_MODEL_TOKENS)  # upper bound of the tokens that one image counts for


class Nothing(AdminSchema):
    """An empty object, or no body."""
