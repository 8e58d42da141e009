"""
Sends alerts about Redis itself: the only alerts that can neither be found nor queued in Redis.

One process watches at a time: it holds a claim in Redis, and has the webhooks in memory. If Redis is away for
longer than a restart takes, it sends one alert to each webhook, and another message when Redis has been back
for as long. A process that starts while Redis is away knows no webhooks, and a process that stops does not
send the end of an alert. When Redis is back, each process records the outage that it noticed, for `doctor`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gevent
import structlog
from gevent.event import Event
from gevent.pool import Pool

from app.errors import StoreUnavailable
from app.operations.alert_delivery import RETRY_SECONDS, send_message
from app.stores.failures import diagnose
from app.stores.health import HealthRepository
from app.stores.jobs import JobRepository
from app.stores.records.alerts import AlertChange, AlertMessage, AlertStatus
from app.stores.records.webhooks import AlertKind, Webhook
from app.wiring import Services

log = structlog.get_logger()

CHECK_SECONDS = 1.0  # shorter outages may be missed
AWAY_SECONDS = 20.0  # longer than a restart with much data takes
WATCH_SECONDS = 30.0  # how long a claim lasts, so how late another process may take over
READ_SECONDS = 30.0  # maximum age of the webhooks in memory
MAX_WEBHOOKS = 100  # webhooks of all pools
MAX_CONCURRENT = 8

Sleep = Callable[[float], object]


@dataclass(frozen=True, slots=True)
class Receiver:
    """A webhook that receives alerts about Redis, and its pool."""

    pool: str
    webhook: Webhook


class StoreWatch:
    """The state of Redis as this process observes it; `check` is called every few seconds."""

    def __init__(
        self,
        services: Services,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = gevent.sleep,
    ) -> None:
        self._services = services
        self._jobs = JobRepository(services.scripts)
        self._health = HealthRepository(services.scripts)
        self._holder = secrets.token_hex(8)
        self._clock = clock
        self._sleep = sleep
        self._receivers: list[Receiver] = []  # empty unless this process watches
        self._read_at = -READ_SECONDS
        self._away_since: float | None = None
        self._away_reason = ""
        self._back_since: float | None = None
        self._alerted: list[Receiver] = []
        self._began_at = 0  # Unix seconds
        self._sender: gevent.Greenlet | None = None

    def check(self) -> None:
        """Check whether Redis accepts writes, and send messages if that has changed."""
        try:
            self._renew()
            if self._away_since is not None:
                self._health.record_outage(self._clock() - self._away_since, self._away_reason)
        except StoreUnavailable as error:
            self._note_away(error)
        else:
            self._note_back()

    def finish(self) -> None:
        """Wait for messages that are being sent."""
        if self._sender is not None:
            self._sender.join()

    def _renew(self) -> None:
        now = self._clock()
        if not self._jobs.hold("store_watch", self._holder, WATCH_SECONDS):
            self._receivers = []
            self._read_at = now - READ_SECONDS
        elif now - self._read_at >= READ_SECONDS:
            self._receivers = self._read_receivers()
            self._read_at = now

    def _read_receivers(self) -> list[Receiver]:
        found = [
            Receiver(pool, webhook)
            for pool in self._services.pools.names()
            for webhook in self._services.alerting.webhooks.all(pool)
            if webhook.is_readable and AlertKind.STORE in webhook.on
        ]
        return found[:MAX_WEBHOOKS]

    def _note_away(self, error: StoreUnavailable) -> None:
        now, self._back_since, self._away_reason = self._clock(), None, diagnose(error).clause
        if self._away_since is None:
            self._away_since = now
        if now - self._away_since < AWAY_SECONDS or self._alerted or not self._receivers:
            return
        self._alerted = self._receivers
        self._began_at = int(time.time() - (now - self._away_since))
        log.warning("store_alert_sent", webhooks=len(self._alerted))
        self._send(AlertStatus.FIRING, f"Requests are refused because Redis {self._away_reason}")

    def _note_back(self) -> None:
        now, self._away_since = self._clock(), None
        if not self._alerted:
            return
        if self._back_since is None:
            self._back_since = now
        if now - self._back_since < AWAY_SECONDS:
            return
        self._send(AlertStatus.RESOLVED, "Requests were refused because Redis was away")
        self._alerted, self._back_since = [], None

    def _send(self, status: AlertStatus, text: str) -> None:
        """Send a change to each receiver in the background, after earlier messages."""
        now = int(time.time())
        change = AlertChange("store:", AlertKind.STORE, status, text, self._began_at)
        message = AlertMessage(f"msg_{secrets.token_hex(12)}", now, (change,))
        self._sender = gevent.spawn(self._send_all, self._alerted, message, self._sender)

    def _send_all(
        self, receivers: Sequence[Receiver], message: AlertMessage, before: gevent.Greenlet | None
    ) -> None:
        if before is not None:
            before.join()
        greenlets = Pool(MAX_CONCURRENT)
        for receiver in receivers:
            greenlets.spawn(self._send_to, receiver, message)
        greenlets.join()

    def _send_to(self, receiver: Receiver, message: AlertMessage) -> None:
        for wait in (*RETRY_SECONDS, None):
            attempt = send_message(
                self._services.alerting.client, receiver.pool, receiver.webhook, message, time.time()
            )
            if attempt.is_delivered or not attempt.is_temporary or wait is None:
                break
            self._sleep(wait)
        if not attempt.is_delivered:
            log.warning("store_alert_failed", webhook=receiver.webhook.name, error=attempt.error)


def watch_until(stopping: Event, services: Services) -> None:
    """Check immediately, and every few seconds until *stopping* is set."""
    watch, seconds = StoreWatch(services), 0.0
    while not stopping.wait(seconds):
        seconds = CHECK_SECONDS
        try:
            watch.check()
        except Exception:
            log.exception("store_watch_failed")
    watch.finish()
