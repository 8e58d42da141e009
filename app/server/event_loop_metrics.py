"""How each worker feels: whether its event loop is on time, and what it keeps for Redis."""

from __future__ import annotations

import time
from collections import deque
from typing import NoReturn

import gevent
from prometheus_client import Gauge

from app.ledger.settlements import SettlementWriter

BEAT_SECONDS = 0.5
REMEMBERED = 30  # beats: the worst of fifteen seconds, so that a scrape does not miss it

LAG = Gauge("poolgate_loop_lag_seconds", "How late the slowest event loop was.", multiprocess_mode="livemax")
WAITING = Gauge(
    "poolgate_settlements_waiting", "Settlements that wait for Redis.", multiprocess_mode="livesum"
)


def beat_forever(settlements: SettlementWriter) -> NoReturn:
    lags: deque[float] = deque(maxlen=REMEMBERED)
    while True:
        before = time.monotonic()
        gevent.sleep(BEAT_SECONDS)
        lags.append(max(0.0, time.monotonic() - before - BEAT_SECONDS))
        LAG.set(max(lags))
        WAITING.set(len(settlements))
