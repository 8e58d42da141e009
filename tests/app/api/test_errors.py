"""Errors as HTTP responses: always the envelope, with what a client does next in headers."""

from __future__ import annotations

import pytest
from marshmallow import Schema, ValidationError, fields

from app.api.errors import error_response, invalid_request
from app.api.flask_app import GatewayApplication
from app.errors import (
    AccountsStopped,
    GatewayError,
    InvalidRequest,
    NeverResets,
    NoAccounts,
    PoolSpent,
    UpstreamRejected,
)
from app.errors.base import RETRY_AFTER_MAX_SECONDS
from tests.support.api import FakeServices

APP = GatewayApplication("test")


class Example(Schema):
    n = fields.Integer(required=True)


def headers_of(error: GatewayError) -> dict[str, str]:
    with APP.test_request_context("/v1/x"):
        return dict(error_response(error).headers)


@pytest.mark.parametrize(
    ("seconds", "header"), [(None, None), (0.2, "1"), (4.1, "5"), (RETRY_AFTER_MAX_SECONDS + 1, None)]
)
def test_retry_after(seconds: float | None, header: str | None) -> None:
    """Some SDKs wait any length: a later reset is only in the body."""
    assert headers_of(NoAccounts("x", retry_after_seconds=seconds)).get("Retry-After") == header


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("x"),
        NeverResets("x"),
        AccountsStopped("x"),
        NoAccounts("x", retry_after_seconds=RETRY_AFTER_MAX_SECONDS + 1),
        PoolSpent(None, None),
        PoolSpent(RETRY_AFTER_MAX_SECONDS + 1, 0),
    ],
)
def test_what_is_not_to_be_retried(error: GatewayError) -> None:
    """No SDK repeats at once what cannot succeed within the time that it waits."""
    headers = headers_of(error)

    assert headers["x-should-retry"] == "false"
    assert "Retry-After" not in headers


@pytest.mark.parametrize("error", [NoAccounts("x"), PoolSpent(RETRY_AFTER_MAX_SECONDS, 0)])
def test_what_may_be_retried(error: GatewayError) -> None:
    assert "x-should-retry" not in headers_of(error)


def test_the_guide_explains_the_code() -> None:
    """An upstream's own codes are not in it."""
    rejected = UpstreamRejected("x", status=400, type="invalid_request_error", code="content_filter")

    assert headers_of(NoAccounts("x"))["Link"] == '</docs/errors#no_accounts>; rel="help"'
    assert "Link" not in headers_of(rejected)


def test_the_first_schema_error_names_the_field() -> None:
    with pytest.raises(ValidationError) as caught:
        Example().load({"n": "x"})

    assert invalid_request(caught.value).param == "n"


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/v1/chat/completions", 405)])
def test_flasks_own_errors_have_the_envelope(path: str, status: int) -> None:
    response = FakeServices().client().get(path)

    assert response.status_code == status
    assert response.json is not None
    assert set(response.json["error"]) >= {"message", "type", "code"}


def test_where_clients_read_detail_it_is_there() -> None:
    response = FakeServices().client().get("/api/v1/openai/nothing")

    assert response.json is not None
    assert response.json["detail"] == response.json["error"]["message"]
