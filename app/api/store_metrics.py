"""Metrics that are read from Redis, and from this machine's spool, when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.accounts.counts import GatewayCounts, count_accounts
from app.config import package_version
from app.errors import StoreUnavailable
from app.wiring import Services


class StoreMetrics(Collector):
    """Reads the metrics of all pools."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        try:
            # A write, as in the readiness check: the store must accept writes
            self._services.pools.ensure("default")
            counted = count_accounts(self._services.scripts)
        except StoreUnavailable:
            counted = None
        is_up = counted is not None
        build = GaugeMetricFamily("poolgate_build_info", "Always 1.", labels=["version"])
        build.add_metric([package_version()], 1)
        yield build
        yield GaugeMetricFamily("poolgate_store_up", "Whether Redis takes requests.", float(is_up))
        if counted is not None:
            accounts = GaugeMetricFamily("poolgate_accounts", "Accounts of all pools.", labels=["state"])
            for state, count in counted.accounts.items():
                accounts.add_metric([state], count)
            yield accounts
            yield from _attempts(counted)
            yield from _webhooks(counted)
            yield GaugeMetricFamily("poolgate_leases_open", "Requests that hold a lease.", counted.leases)
        files = self._services.ledger.settlements.count_spool_files()
        yield GaugeMetricFamily("poolgate_spool_files", "Files of undelivered settlements.", files)


def _attempts(counted: GatewayCounts) -> Iterator[Metric]:
    """Yield the metrics by account: one series for each account and class of failure."""
    attempts = CounterMetricFamily(
        "poolgate_account_attempts",
        "Requests sent to an account, by how they ended.",
        labels=["pool", "account", "outcome"],
    )
    for labels, count in counted.attempts.items():
        attempts.add_metric(labels, count)
    yield attempts
    rescues = CounterMetricFamily(
        "poolgate_account_rescues",
        "Failed attempts after which another account answered with the same model.",
        labels=["pool", "account"],
    )
    for names, count in counted.rescues.items():
        rescues.add_metric(names, count)
    yield rescues


def _webhooks(counted: GatewayCounts) -> Iterator[Metric]:
    """Yield the metrics by webhook; a pool has at most ten."""
    messages = CounterMetricFamily(
        "poolgate_webhook_messages",
        "Messages about alerts, by how they ended.",
        labels=["pool", "webhook", "outcome"],
    )
    pending = GaugeMetricFamily(
        "poolgate_webhook_pending", "Messages that wait for a webhook.", labels=["pool", "webhook"]
    )
    for place, status in counted.webhooks.items():
        for outcome in ("delivered", "failed", "dropped"):
            messages.add_metric([*place, outcome], getattr(status, outcome))
        pending.add_metric(place, status.pending)
    yield messages
    yield pending
