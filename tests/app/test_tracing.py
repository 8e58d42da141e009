"""Tracing is optional; tests/service/test_traces.py checks the spans with a collector."""

from __future__ import annotations

import sys

import pytest

from app.tracing import tracing_for


def test_not_configured() -> None:
    assert tracing_for("") is None


def test_configured_but_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter", None)

    assert tracing_for("http://127.0.0.1:4318") is None
