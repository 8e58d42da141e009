"""The bodies that add and change a webhook."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import ValidationError

from schemas.bounds import MAX_WEBHOOK_URL_CHARS
from schemas.webhooks import WEBHOOK_CHANGE, WEBHOOK_INPUT, secret_bytes

URL = "https://hooks.example/services/T0/B0?x=1"


def test_a_webhook() -> None:
    fields = {"name": "ops", "url": URL, "format": "slack", "on": ["pool"], "secret": "", "private": True}

    assert WEBHOOK_INPUT.load(fields) == fields
    assert WEBHOOK_CHANGE.load({"remind_hours": 0}) == {"remind_hours": 0}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a b"),
        *[("url", url) for url in ("ftp://h/", "https:///x", "https://u:p@h/", "https://h/#x", "https://é/")],
        *[("url", url) for url in ("http://169.254.169.254/", "http://metadata/", "x", 1)],
        ("url", "https://h/" + "x" * MAX_WEBHOOK_URL_CHARS),
        ("format", "xml"),
        *[("on", on) for on in ([], ["all"], "pool", ["pool"] * 6)],
        *[("secret", secret) for secret in ("short", "x" * 257, "whsec_AAAA", "whsec_" + "?" * 32, "é" * 20)],
        ("private", 1),
        *[("remind_hours", hours) for hours in (-1, 721, "1")],
        ("more", 1),
    ],
)
def test_what_cannot_be(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        WEBHOOK_INPUT.load({"name": "ops", "url": URL} | {field: value})

    assert list(caught.value.messages) == [field]


def test_the_bytes_of_a_secret() -> None:
    """Padding may be left out, as the reference library does."""
    expected = bytes(range(32))

    assert secret_bytes("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=") == expected
    assert secret_bytes("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8") == expected
    assert secret_bytes("plain text") == b"plain text"
