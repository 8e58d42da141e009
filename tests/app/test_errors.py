"""Errors: the envelope that clients get, and the tree that documents them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest

from app import errors
from app.errors import (
    ClientGone,
    GatewayError,
    NotFound,
    PoolSpent,
    UpstreamRejected,
    documented_codes,
)
from tests.support.guide import page


def subclasses(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__.startswith(f"{errors.__name__}."):
            yield from subclasses(child)


@pytest.mark.parametrize("kind", list(subclasses(GatewayError)))
def test_every_class_is_documented(kind: type[GatewayError]) -> None:
    assert inspect.getdoc(kind) != inspect.getdoc(kind.__mro__[1])
    assert kind.__name__ in (errors.__doc__ or "")


def test_the_guide_explains_every_code() -> None:
    explained = set(re.findall(r"^### (\w+)\n\nStatus \d{3}\. ", page("errors"), re.MULTILINE))

    assert documented_codes() <= explained
    for kind in subclasses(GatewayError):
        if kind.code in explained and kind is not ClientGone:
            section = page("errors").partition(f"### {kind.code}\n\n")[2].partition("\n###")[0]
            assert section.startswith(f"Status {kind.status}. "), kind


class TestEnvelope:
    def test_a_parameter_only_if_it_is_known(self) -> None:
        fields = {"message": "no", "type": "server_error", "code": "server_error"}

        assert GatewayError("no").envelope() == {"error": fields}
        assert GatewayError("no", param="n").envelope() == {"error": {**fields, "param": "n"}}

    def test_a_reset_is_in_full_seconds(self) -> None:
        assert GatewayError("no", resets_at=12.9).envelope()["error"]["resets_at"] == 12

    def test_a_spent_pool_has_what_codex_shows(self) -> None:
        error = PoolSpent(1.2, 100.0, {"plan_type": "plus"}).envelope()["error"]

        assert (error["type"], error["resets_at"]) == ("usage_limit_reached", 100)
        assert (error["resets_in_seconds"], error["plan_type"]) == (2, "plus")


def test_another_message_in_a_copy() -> None:
    error = UpstreamRejected("first", status=429, type="t", code="c", extra={"plan_type": "plus"})

    other = error.with_message("second")

    assert (other.message, other.status, other.extra) == ("second", 429, {"plan_type": "plus"})
    assert (error.message, type(other)) == ("first", UpstreamRejected)


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (404, "There is nothing at this address", "not_found"),
        (405, "This address does not take this method", "method_not_allowed"),
        (413, "The request body is too large", "payload_too_large"),
        (418, "described", "invalid_request_error"),
        (500, "The gateway failed to handle this request", "server_error"),
        (None, "The gateway failed to handle this request", "server_error"),
    ],
)
def test_errors_of_flask(status: int | None, message: str, code: str) -> None:
    error = errors.error_for_status(status, "described")

    assert (error.message, error.code) == (message, code)


def test_a_status_belongs_to_its_class() -> None:
    assert (NotFound("x").status, NotFound.retryable) == (404, False)
