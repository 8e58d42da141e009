"""Metrics of each worker: the lag of its event loop, and settlements that wait for Redis."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import NoReturn

import gevent

from app.ledger.settlements import SettlementWriter
from app.process_metrics import Gauge, Merge, SharedFile

SAMPLE_SECONDS = 0.5
SAMPLES = 30  # the metric is the maximum of so many samples (15 s), so that a scrape does not miss a peak

LAG = Gauge("poolgate_loop_lag_seconds", "How late the slowest event loop was.", Merge.MAX)
WAITING = Gauge("poolgate_settlements_waiting", "Settlements that wait for Redis.")


def sample_forever(settlements: SettlementWriter, shared: SharedFile) -> NoReturn:
    """Set the metrics every SAMPLE_SECONDS, and write all metrics of this process to its file."""
    lags: deque[float] = deque(maxlen=SAMPLES)
    while True:
        before = time.monotonic()
        gevent.sleep(SAMPLE_SECONDS)
        lags.append(max(0.0, time.monotonic() - before - SAMPLE_SECONDS))
        LAG.value = round(max(lags), 4)
        WAITING.value = len(settlements)
        with suppress(OSError):  # no descriptor or no disk space: it is written the next time
            shared.write()
