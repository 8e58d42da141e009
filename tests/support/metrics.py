"""Read the metrics of this process."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry

from app.process_metrics import ProcessMetrics


def sample(name: str, folder: Path | None = None, /, **labels: str) -> float | None:
    """
    Return a value of this process, or of all processes that share *folder*; None if there is no such series.
    """
    registry = CollectorRegistry()
    registry.register(ProcessMetrics(folder))
    return registry.get_sample_value(name, labels)
