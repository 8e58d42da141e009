"""Metrics of each worker: the lag of its event loop, and settlements that wait for Redis."""

from __future__ import annotations

import time
from collections import deque
from typing import NoReturn

import gevent
from prometheus_client import Gauge

from app.ledger.settlements import SettlementWriter

SAMPLE_SECONDS = 0.5
SAMPLES = 30  # samples: the maximum of fifteen seconds, so that a scrape does not miss it

LAG = Gauge("poolgate_loop_lag_seconds", "How late the slowest event loop was.", multiprocess_mode="livemax")
WAITING = Gauge(
    "poolgate_settlements_waiting", "Settlements that wait for Redis.", multiprocess_mode="livesum"
)


def sample_forever(settlements: SettlementWriter) -> NoReturn:
    """Set the metrics every SAMPLE_SECONDS."""
    lags: deque[float] = deque(maxlen=SAMPLES)
    while True:
        before = time.monotonic()
        gevent.sleep(SAMPLE_SECONDS)
        lags.append(max(0.0, time.monotonic() - before - SAMPLE_SECONDS))
        LAG.set(max(lags))
        WAITING.set(len(settlements))
