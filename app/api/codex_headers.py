"""
The x-codex-* headers: how much of its ChatGPT accounts' usage windows a pool has used, on average;
for a key that is bound to accounts, of those alone.

Only what is known is told, and only where the pool's settings allow it.
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
KEPT_SECONDS = 10.0
MAX_KEPT = 1000  # pools, and sets of accounts that keys are bound to

_kept: dict[tuple[str, tuple[str, ...]], tuple[float, dict[str, str]]] = {}  # by pool and account ids


def add_windows(response: Response) -> Response:
    """Add the headers to an answer for whoever has shown a key."""
    key = request_globals().get("api_key")
    told = key is not None and settings_from(key.settings).tells_windows
    if told and (headers := _headers_of(key.pool, key.accounts)):
        response.headers.update(headers)
    return response


def _headers_of(pool: str, accounts: tuple[str, ...]) -> dict[str, str]:
    told_at, headers = _kept.get((pool, accounts), (-KEPT_SECONDS, {}))
    if time.monotonic() - told_at >= KEPT_SECONDS:
        try:
            headers = window_headers(services().ledger.usage.windows(pool, accounts)[0])
        except StoreUnavailable:
            return {}
        if len(_kept) >= MAX_KEPT:
            _kept.clear()
        _kept[pool, accounts] = time.monotonic(), headers
    return headers


def window_headers(windows: Sequence[UpstreamWindow | None]) -> dict[str, str]:
    """Return what *windows*, primary and secondary, say as headers."""
    headers: dict[str, str] = {}
    for name, window in zip(NAMES, windows, strict=True):
        if window is not None:
            told = {
                "used-percent": window.used_percent,
                "window-minutes": window.seconds and window.seconds // 60,
                "reset-at": window.resets_at,
            }
            headers |= {
                f"x-codex-{name}-{what}": str(value) for what, value in told.items() if value is not None
            }
    return headers
