"""The x-codex-* headers."""

from __future__ import annotations

from app.api.codex_headers import window_headers
from app.stores.records.usage import UpstreamWindow


def test_known_values_only() -> None:
    assert window_headers([UpstreamWindow(40.5, None, 18_000), None]) == {
        "x-codex-primary-used-percent": "40.5",
        "x-codex-primary-window-minutes": "300",
    }
    assert window_headers([None, None]) == {}
