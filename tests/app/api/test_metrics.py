"""Metrics: few label values, and a token where one is set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.api import metrics
from app.errors import GatewayError, InvalidRequest, UpstreamRejected
from tests.support.api import FakeServices
from tests.support.metrics import sample


class NoStoreMetrics(Collector):
    def __init__(self, services: Any) -> None:
        pass

    def collect(self) -> Iterator[Metric]:
        return iter(())


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    return client_with("", monkeypatch)


def client_with(token: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.delenv(metrics.FOLDER, raising=False)
    monkeypatch.setattr(metrics, "StoreMetrics", NoStoreMetrics)
    metrics._recent.cache_clear()
    services = FakeServices()
    services.settings = replace(services.settings, metrics_token=token)
    return services.client()


class TestObserving:
    def test_an_admitted_request(self) -> None:
        entry: dict[str, Any] = {
            "first_ms": 1500,
            "attempts": [{"error": "upstream_unavailable"}, {"error": "quota_of_acme"}, {}],
            "input_tokens": 7,
            "output_tokens": 0,
        }
        names: list[tuple[str, dict[str, str]]] = [
            ("poolgate_requests_total", {"endpoint": "/t1", "status": "200"}),
            ("poolgate_request_seconds_sum", {"endpoint": "/t1"}),
            ("poolgate_first_event_seconds_sum", {"endpoint": "/t1"}),
            ("poolgate_upstream_attempts_total", {"outcome": "upstream_unavailable"}),
            ("poolgate_upstream_attempts_total", {"outcome": "rejected"}),
            ("poolgate_upstream_attempts_total", {"outcome": "ok"}),
            ("poolgate_tokens_total", {"what": "input_tokens"}),
            ("poolgate_tokens_total", {"what": "output_tokens"}),
        ]
        before = [sample(name, **labels) or 0 for name, labels in names]

        metrics.observe("/t1", 200, 2.5, [entry])

        after = [sample(name, **labels) or 0 for name, labels in names]
        added = [now - then for now, then in zip(after, before, strict=True)]
        assert added == [1, 2.5, 1.5, 1, 1, 1, 7, 0]

    def test_a_refused_request(self) -> None:
        """It has no ledger entry, and so no first event."""
        metrics.observe("/t2", 429, 0.25, [])

        assert sample("poolgate_requests_total", endpoint="/t2", status="429") == 1
        assert sample("poolgate_first_event_seconds_count", endpoint="/t2") is None


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "ok"), ("stream_incomplete", "stream_incomplete"), ("any_code_of_an_upstream", "rejected")],
)
def test_outcome(error: str | None, outcome: str) -> None:
    """Codes of upstreams are unbounded, so they are no labels."""
    assert metrics.outcome_of(error) == outcome


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequest("no"), InvalidRequest("no").code),
        (UpstreamRejected("no", status=400, type="t", code="any"), "of_upstream"),
    ],
)
def test_errors_by_code(error: GatewayError, code: str) -> None:
    before = sample("poolgate_refusals_total", code=str(code)) or 0

    metrics.count_error(error)

    assert sample("poolgate_refusals_total", code=str(code)) == before + 1


class TestView:
    def test_exposition(self, client: FlaskClient) -> None:
        response = client.get("/metrics")

        assert response.status_code == 200
        assert response.content_type.startswith("text/plain")
        assert "# TYPE poolgate_requests_open gauge" in response.text

    @pytest.mark.parametrize("value", ["", "Bearer", "Bearer wrong", "Bearer s3cret ", "Bearer s3cre", "ä"])
    def test_a_wrong_token(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        client = client_with("s3cret", monkeypatch)

        response = client.get("/metrics", headers={"Authorization": value})

        assert response.status_code == 401
        assert "poolgate_requests" not in response.text

    def test_the_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        client = client_with("s3cret", monkeypatch)

        assert client.get("/metrics", headers={"Authorization": "Bearer s3cret"}).status_code == 200
