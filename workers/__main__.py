"""`python -m workers`: the background jobs of the gateway; any number of processes may run them."""

# ruff: noqa: E402  the patch comes before any import that would load ssl
from gevent import monkey

monkey.patch_all()

import os
import signal
import sys

import gevent
from gevent.event import Event

from app import descriptors, log
from app.config import ConfigError, Settings
from app.stores import private_server
from app.wiring import build
from workers import (
    alert_delivery,
    alerts,
    leases,
    ledger_index,
    models,
    refresh,
    retention,
    retest,
    store_watch,
    summaries,
    usage,
)
from workers.runner import Job, run_until

JOBS = (
    Job("leases", leases.EVERY_SECONDS, leases.run),
    Job("refresh", refresh.EVERY_SECONDS, refresh.run),
    Job("usage", usage.EVERY_SECONDS, usage.run),
    Job("retest", retest.EVERY_SECONDS, retest.run),
    Job("models", models.EVERY_SECONDS, models.run),
    Job("summaries", summaries.EVERY_SECONDS, summaries.run),
    Job("ledger_index", ledger_index.EVERY_SECONDS, ledger_index.run),
    Job("retention", retention.EVERY_SECONDS, retention.run),
    Job("alerts", alerts.EVERY_SECONDS, alerts.run),
    Job("alert_delivery", alert_delivery.EVERY_SECONDS, alert_delivery.run),
)


def main() -> None:
    settings = Settings.from_environment(os.environ)
    log.configure(settings.log_level, settings.log_format)
    descriptors.raise_limit()
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    private_server.redis_url(settings)
    gevent.spawn(private_server.watch_forever, settings, gevent.sleep)
    services = build(settings)
    gevent.spawn(store_watch.watch_until, stopping, services)
    run_until(stopping, JOBS, services, settings.graceful_timeout_seconds)


if __name__ == "__main__":
    try:
        main()
    except (ConfigError, private_server.PrivateServerError) as error:
        sys.exit(str(error))
