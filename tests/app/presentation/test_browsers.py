"""Names of browsers."""

from __future__ import annotations

import pytest

from app.presentation.browsers import MAX_CHARS, browser_name

MOZILLA, WEBKIT = "Mozilla/5.0", "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (f"{MOZILLA} (X11; Linux x86_64) {WEBKIT} Chrome/126.0.0.0 Safari/537.36", "Chrome 126 on Linux"),
        (f"{MOZILLA} (X11; Linux x86_64) {WEBKIT} HeadlessChrome/126.0 Safari/537.36", "Chrome 126 on Linux"),
        (f"{MOZILLA} (Windows NT 10.0) {WEBKIT} Chrome/126.0 Safari/537.36 Edg/125.0", "Edge 125 on Windows"),
        (
            f"{MOZILLA} (Linux; Android 10; K) {WEBKIT} Chrome/126.0 Mobile Safari/537.36",
            "Chrome 126 on Android",
        ),
        (f"{MOZILLA} (Windows NT 10.0; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox 127 on Windows"),
        (
            f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15) {WEBKIT} Version/17.4 Safari/605.1",
            "Safari 17 on macOS",
        ),
        (
            f"{MOZILLA} (iPhone; CPU iPhone OS 17_4 like Mac OS X) Version/17.4 Mobile/15E148 Safari/604.1",
            "Safari 17 on iOS",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("x" * 500, "x" * MAX_CHARS),
        ("", ""),
    ],
)
def test_name(agent: str, name: str) -> None:
    assert browser_name(agent) == name
