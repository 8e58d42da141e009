"""Which failures another model may cure; the rest is tried from outside."""

from __future__ import annotations

import pytest

from app.errors import (
    ClientGone,
    GatewayError,
    InvalidRequest,
    NoAccounts,
    QuotaExceeded,
    StoreUnavailable,
    StreamIncomplete,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
    WorkerStopping,
)
from app.relay.fallbacks import may_fall_back


def rejected(status: int, code: str | None, message: str = "no") -> UpstreamRejected:
    return UpstreamRejected(message, status=status, type="x", code=code, upstream_status=status)


@pytest.mark.parametrize(
    "error",
    [
        NoAccounts("x"),
        QuotaExceeded("x"),
        UpstreamUnreachable("x"),
        StreamIncomplete("x"),
        rejected(500, None),
        rejected(429, "rate_limit_exceeded"),
        rejected(404, "model_not_found"),
        rejected(400, "context_length_exceeded"),
        rejected(400, None, "This model's maximum context length is 4096 tokens"),
    ],
)
def test_another_model_may_answer(error: GatewayError) -> None:
    assert may_fall_back(error)


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("x"),
        StoreUnavailable("x"),
        WorkerStopping("x"),
        ClientGone("x"),
        UpstreamTimeout("x"),
        rejected(400, "invalid_value"),
    ],
)
def test_no_model_may(error: GatewayError) -> None:
    assert not may_fall_back(error)
