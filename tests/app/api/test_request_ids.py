"""`x-request-id` is echoed if it is acceptable, else made, on every response."""

from __future__ import annotations

import uuid

import pytest

from app.api.request_ids import new_request_id
from tests.support.api import FakeServices


@pytest.mark.parametrize("header", ["x-request-id", "request-id"])
def test_echoed(header: str) -> None:
    response = FakeServices().client().get("/health", headers={header: "abc-1"})

    assert response.headers["x-request-id"] == "abc-1"


@pytest.mark.parametrize("value", ["", "a b", "x" * 129])
def test_made(value: str) -> None:
    response = FakeServices().client().get("/health", headers={"x-request-id": value})

    assert uuid.UUID(response.headers["x-request-id"])


def test_our_own_are_unique() -> None:
    ids = {new_request_id() for _ in range(100)}

    assert len(ids) == 100
    assert all(each.startswith("req_") for each in ids)
