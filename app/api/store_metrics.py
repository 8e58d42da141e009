"""What is counted when somebody looks: of the store, and of this machine's spool."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.accounts.counts import Census, census
from app.config import package_version
from app.errors import StoreUnavailable
from app.wiring import Services


class StoreMetrics(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        try:
            self._services.pools.ensure("default")  # as readiness does: a store that only reads is none
            found = census(self._services.scripts)
        except StoreUnavailable:
            found = None
        up = found is not None
        build = GaugeMetricFamily("poolgate_build_info", "Always 1.", labels=["version"])
        build.add_metric([package_version()], 1)
        yield build
        yield GaugeMetricFamily("poolgate_store_up", "Whether Redis takes requests.", float(up))
        if found is not None:
            accounts = GaugeMetricFamily("poolgate_accounts", "Accounts of all pools.", labels=["state"])
            for state, count in found.accounts.items():
                accounts.add_metric([state], count)
            yield accounts
            yield from _attempts(found)
            yield GaugeMetricFamily("poolgate_leases_open", "Requests that hold a lease.", found.leases)
        files = self._services.ledger.settlements.count_spool_files()
        yield GaugeMetricFamily("poolgate_spool_files", "Files of settlements nobody took up yet.", files)


def _attempts(found: Census) -> Iterator[Metric]:
    """Yield what is counted by account: as many series as there are accounts, times the ways to fail."""
    attempts = CounterMetricFamily(
        "poolgate_account_attempts",
        "Requests sent to an account, by how they ended.",
        labels=["pool", "account", "outcome"],
    )
    for labels, count in found.attempts.items():
        attempts.add_metric(labels, count)
    yield attempts
    rescues = CounterMetricFamily(
        "poolgate_account_rescues",
        "Failed attempts after which another account answered.",
        labels=["pool", "account"],
    )
    for names, count in found.rescues.items():
        rescues.add_metric(names, count)
    yield rescues
