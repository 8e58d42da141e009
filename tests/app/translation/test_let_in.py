"""Every body that the schemas accept can be sent to every kind of account, or is refused by field."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from marshmallow import ValidationError

from app.accounts.kinds import KINDS
from app.errors import InvalidRequest
from app.translation.requests.field_support import TABLES
from app.translation.requests.responses_input import normalize_input
from app.translation.requests.upstream_request import upstream_body
from schemas.chat import CHAT_REQUEST
from schemas.responses import RESPONSES_REQUEST
from tests.app.translation.test_odd_requests import ANYTHING
from tests.support.examples import examples

LEAST: dict[str, dict[str, Any]] = {
    "chat": {"model": "m", "messages": [{"role": "user", "content": "Hello"}]},
    "responses": {"model": "m", "input": "Hello"},
}
ACCOUNTS = [
    ("openai", ("chat", "responses")),
    ("compatible", ("chat",)),
    ("compatible", ("responses",)),
    ("chatgpt", ("responses",)),
]


def let_in(endpoint: str, body: dict[str, Any]) -> dict[str, Any] | None:
    schema = CHAT_REQUEST if endpoint == "chat" else RESPONSES_REQUEST
    try:
        return schema.load(body)
    except ValidationError:
        return None


def refused_field(endpoint: str, body: dict[str, Any], kind: str, wires: tuple[str, ...]) -> str | None:
    """Return the field for which the request is refused for such an account, None if it can be sent."""
    try:
        requested = normalize_input(body) if endpoint == "responses" else body
        orjson.dumps(upstream_body(endpoint, requested, KINDS[kind].dialect, wires).body)
    except InvalidRequest as error:
        return (error.param or "nothing").replace("[", ".").split(".")[0]
    return None


@pytest.mark.parametrize(
    ("endpoint", "field"), [(endpoint, field) for endpoint, table in TABLES.items() for field in table]
)
@given(value=ANYTHING)
@settings(max_examples=examples(25))
def test_any_value_of_a_field(endpoint: str, field: str, value: Any) -> None:
    body = let_in(endpoint, {**LEAST[endpoint], field: value})
    if body is not None:
        assert {refused_field(endpoint, body, *account) for account in ACCOUNTS} <= {None, *body}
