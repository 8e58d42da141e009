"""The ways in which an API key is sent."""

from __future__ import annotations

import base64

import pytest
from flask import Flask

from app.api.auth import presented_key

APP = Flask(__name__)
KEY = "sk-pg-default-x"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"Authorization": f"Bearer {KEY}"}, KEY),
        ({"Authorization": f"bearer {KEY} "}, KEY),
        ({"Authorization": basic("", KEY)}, KEY),
        ({"Authorization": basic(KEY, "")}, KEY),
        ({"Authorization": basic("user", "other")}, ""),
        ({"Authorization": f"Digest {KEY}"}, ""),
        ({"x-api-key": f" {KEY} "}, KEY),
        ({"x-bf-vk": KEY}, KEY),
        ({}, ""),
    ],
)
def test_presented_key(headers: dict[str, str], key: str) -> None:
    with APP.test_request_context(headers=headers):
        assert presented_key() == key
