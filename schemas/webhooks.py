"""The bodies that add and change a webhook: an address to which alerts are sent."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from marshmallow.validate import Length, OneOf

from schemas.accounts import HttpUrl
from schemas.bounds import MAX_REMINDER_HOURS, MAX_WEBHOOK_URL_CHARS
from schemas.fields import Flag, Integer, Text, Texts
from schemas.names import AdminSchema, Name
from schemas.validation_errors import invalid

FORMATS = ("json", "slack")
KINDS = ("account", "limit", "pool", "errors", "store")  # kinds of alerts, see AlertKind
SECRET_PREFIX = "whsec_"  # prefix of a Base64 secret, as in Standard Webhooks
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 16, 256


def secret_bytes(secret: str) -> bytes:
    """Return the key of the signature: the decoded part after `whsec_`, else the text itself."""
    if secret.startswith(SECRET_PREFIX):
        text = secret.removeprefix(SECRET_PREFIX)
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    return secret.encode()


class WebhookUrl(HttpUrl):
    """The URL that messages are posted to; it may have a query, but no fragment."""

    def __init__(self, **more: Any) -> None:
        text = f"must have at most {MAX_WEBHOOK_URL_CHARS} characters"
        super().__init__(validate=Length(max=MAX_WEBHOOK_URL_CHARS, error=text), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        if "#" in text:
            raise invalid("must not have a fragment")
        return text


class WebhookSecret(Text):
    """A secret of 16 to 256 bytes; '' means none."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        secret = super()._deserialize(value, attr, data)
        if not secret:
            return secret
        if not (secret.isascii() and secret.isprintable()):
            raise invalid("must be printable ASCII")
        try:
            size = len(secret_bytes(secret))
        except (binascii.Error, ValueError):
            raise invalid(f"must be Base64 after {SECRET_PREFIX}") from None
        if not MIN_SECRET_BYTES <= size <= MAX_SECRET_BYTES:
            raise invalid(f"must have {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes")
        return secret


class WebhookFields(AdminSchema):
    """
    The fields of a webhook that are not secret, and its URL.

    `on`: the kinds of alerts that are sent. `private`: the name of its host may resolve to a private address.
    `remind_hours` 0: alerts are not repeated while they last.
    """

    url = WebhookUrl()
    format = Text(validate=OneOf(FORMATS, error=f"must be {' or '.join(FORMATS)}"))
    on = Texts(KINDS, validate=Length(min=1, max=len(KINDS), error=f"must have 1 to {len(KINDS)} entries"))
    private = Flag()
    remind_hours = Integer(0, MAX_REMINDER_HOURS)


class WebhookChange(WebhookFields):
    """The fields to change. An empty `secret`: messages are not signed."""

    secret = WebhookSecret()


class StoredWebhook(WebhookChange):
    """A webhook as it is stored, under its name."""

    url = WebhookUrl(required=True)
    former_secret = WebhookSecret()
    former_until = Integer(0)


class WebhookInput(WebhookChange):
    """A new webhook; without `secret`, one is generated for the format json."""

    name = Name(required=True)
    url = WebhookUrl(required=True)


WEBHOOK_INPUT, WEBHOOK_CHANGE, STORED_WEBHOOK = WebhookInput(), WebhookChange(), StoredWebhook()
WEBHOOK_NAME = Name()
