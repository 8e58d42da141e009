"""The bodies that create and change an API key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from marshmallow import Schema
from marshmallow.validate import OneOf, Regexp

from schemas.bounds import MAX_KEY_ACCOUNTS, MAX_KEY_MODELS, MAX_KEY_WEIGHT, MAX_LIMITS, POOL_NUMBERS
from schemas.fields import Flag, Integer, Text
from schemas.key_labels import KeyLabels, Owner
from schemas.names import AdminSchema, ModelNames, Name, Names
from schemas.validation_errors import invalid

MAX_OUTPUT_TOKENS = 10_000_000  # more than any model produces; catches typing errors
NO_DATE = "must be a date like 2027-01-31 or 2027-01-31T18:00:00Z"
LATEST_EXPIRY_SECONDS = datetime(3000, 1, 1, tzinfo=UTC).timestamp()


class Expiry(Text):
    """
    An ISO 8601 date or date with time, returned as Unix seconds.

    A date means its first second; a time without an offset is UTC.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> float:
        return seconds_at(super()._deserialize(value, attr, data))


def seconds_at(text: str, zone: tzinfo = UTC) -> float:
    """
    Return an ISO 8601 date, or date with time, as Unix seconds; without an offset it is in *zone*.

    Raises ValidationError.
    """
    try:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise invalid(NO_DATE) from None
    if seconds <= 0:
        raise invalid("must be after 1970")
    if seconds >= LATEST_EXPIRY_SECONDS:
        raise invalid("must be before the year 3000")
    return seconds


class KeyInput(AdminSchema):
    """
    `limits` are texts such as `1000000 total_tokens/day`, which `app.limits` parses.

    `sha256` is that of a key that another gateway made; without it, a secret is generated.
    """

    name = Name(required=True)
    models = ModelNames(MAX_KEY_MODELS)  # empty: all
    accounts = Names(MAX_KEY_ACCOUNTS)  # account names; empty: all
    expires_at = Expiry(data_key="expires")
    limits = Names(MAX_LIMITS)
    raw = Flag()
    output_tokens = Integer(1, MAX_OUTPUT_TOKENS)
    on_cut = Text(validate=OneOf(("fail", "restart"), error="must be fail or restart"))
    team = Name()
    sha256 = Text(validate=Regexp(r"[0-9a-f]{64}\Z", error="must be 64 hexadecimal digits, in lower case"))
    queue_seconds = Integer(*POOL_NUMBERS["queue_seconds"])
    weight = Integer(1, MAX_KEY_WEIGHT)
    owner = Owner()  # empty: none
    labels = KeyLabels()  # a change replaces all labels


class KeyChange(KeyInput):
    """Changes of a key; absent fields stay as they are. Limits are changed one by one elsewhere."""

    class Meta(KeyInput.Meta):
        exclude = ("name", "limits", "sha256")

    expires_at = Expiry(data_key="expires", allow_none=True)  # null: never
    team = Name(allow_none=True)  # null: none
    queue_seconds = Integer(*POOL_NUMBERS["queue_seconds"], allow_none=True)  # null: the pool's value


class AdminTokenInput(Schema):
    """The body that creates an admin token."""

    expires = Expiry()
