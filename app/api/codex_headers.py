"""
The x-codex-* headers: the mean usage in the usage windows of a pool's ChatGPT accounts, or of those accounts
that the API key is bound to.

Only known values are sent, and only where the pool's settings allow it.
Source: https://github.com/openai/codex (codex-rs/codex-api, rate limits in headers)
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from flask import Response

from app.accounts.settings import settings_from
from app.api.context import request_globals, services
from app.errors import StoreUnavailable
from app.stores.records.usage import UpstreamWindow

NAMES = ("primary", "secondary")
FRESH_SECONDS = 10.0
MAX_CACHED = 1000  # cached sets of accounts, of pools and of bound keys

# (pool, account ids) -> (when read, headers)
_cached: dict[tuple[str, tuple[str, ...]], tuple[float, dict[str, str]]] = {}


def add_windows(response: Response) -> Response:
    """Add the headers to *response* if the request was authenticated."""
    key = request_globals().get("api_key")
    is_shown = key is not None and settings_from(key.settings).tells_windows
    if is_shown and (headers := _headers_of(key.pool, key.accounts)):
        response.headers.update(headers)
    return response


def _headers_of(pool: str, accounts: tuple[str, ...]) -> dict[str, str]:
    read_at, headers = _cached.get((pool, accounts), (-FRESH_SECONDS, {}))
    if time.monotonic() - read_at >= FRESH_SECONDS:
        try:
            headers = window_headers(services().ledger.usage.windows(pool, accounts)[0])
        except StoreUnavailable:
            return {}
        if len(_cached) >= MAX_CACHED:
            _cached.clear()
        _cached[pool, accounts] = time.monotonic(), headers
    return headers


def window_headers(windows: Sequence[UpstreamWindow | None]) -> dict[str, str]:
    """Return the headers for *windows*, primary and secondary."""
    headers: dict[str, str] = {}
    for name, window in zip(NAMES, windows, strict=True):
        if window is not None:
            values = {
                "used-percent": window.used_percent,
                "window-minutes": window.seconds and window.seconds // 60,
                "reset-at": window.resets_at,
            }
            headers |= {
                f"x-codex-{name}-{field}": str(value) for field, value in values.items() if value is not None
            }
    return headers
