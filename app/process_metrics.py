"""
Metrics that each process counts in memory and shares with the other processes through a file.

Counting is one step in a dictionary: a request does it a dozen times. A process writes what changed at
intervals; `ProcessMetrics` sums up the files. A process that is killed loses what it counted since.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from functools import cache
from itertools import accumulate
from math import inf
from operator import add
from pathlib import Path
from typing import TypedDict

import orjson
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]


class Snapshot(TypedDict):
    """
    The metrics of a process; a series has labels and values.

    `gauges` is empty once the process has ended.
    """

    series: dict[str, list[tuple[Sequence[str], list[float]]]]
    gauges: dict[str, float]


class Merge(StrEnum):
    """How the gauges of running processes are combined."""

    SUM = "sum"
    MAX = "max"


class Counter:
    """A counter: a number for each combination of labels, which only grows."""

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        self.name, self.text, self.labels = name, text, labels
        self.values: defaultdict[Labels, float] = defaultdict(float)
        FAMILIES.append(self)

    def inc(self, labels: Labels = (), amount: float = 1) -> None:
        """Add *amount*; 0 makes the series appear from now on."""
        self.values[labels] += amount

    def rows(self) -> Iterable[tuple[Labels, list[float]]]:
        """Return the labels of each series, and its value."""
        return ((labels, [value]) for labels, value in self.values.items())

    def family(self, rows: Iterable[tuple[Sequence[str], list[float]]]) -> Metric:
        """Return *rows*, of all processes, for Prometheus."""
        family = CounterMetricFamily(self.name, self.text, labels=self.labels)
        for labels, (value,) in rows:
            family.add_metric(labels, value)
        return family


class Histogram:
    """A histogram: per combination of labels, how many values were up to each of `buckets`, and their sum."""

    def __init__(self, name: str, text: str, labels: Labels, buckets: Sequence[float]) -> None:
        self.name, self.text, self.labels = name, text, labels
        self._bounds = (*buckets, inf)
        self._rows: dict[Labels, list[float]] = {}
        FAMILIES.append(self)

    def observe(self, value: float, labels: Labels = ()) -> None:
        """Count *value*."""
        row = self._rows.get(labels) or self.show(labels)
        row[bisect_left(self._bounds, value)] += 1
        row[-1] += value

    def show(self, labels: Labels) -> list[float]:
        """Make the series appear from now on; return its row: a number for each bound, and the sum."""
        return self._rows.setdefault(labels, [0.0] * (len(self._bounds) + 1))

    def rows(self) -> Iterable[tuple[Labels, list[float]]]:
        """Return the labels and the row of each series."""
        return self._rows.items()

    def family(self, rows: Iterable[tuple[Sequence[str], list[float]]]) -> Metric:
        """Return *rows*, of all processes, for Prometheus."""
        family = HistogramMetricFamily(self.name, self.text, labels=self.labels)
        bounds = [str(floatToGoString(bound)) for bound in self._bounds]  # type: ignore[no-untyped-call]
        for labels, row in rows:
            buckets = list(zip(bounds, accumulate(row[:-1]), strict=True))
            family.add_metric(labels, buckets, row[-1])
        return family


class Gauge:
    """A gauge: a current number of this process."""

    def __init__(self, name: str, text: str, merge: Merge = Merge.SUM) -> None:
        self.name, self.text = name, text
        self.merge = sum if merge is Merge.SUM else max
        self.value = 0.0
        GAUGES.append(self)


FAMILIES: list[Counter | Histogram] = []
GAUGES: list[Gauge] = []


class SharedFile:
    """The file in *folder* with the metrics of this process."""

    def __init__(self, folder: Path) -> None:
        # an earlier process may have had the same id
        self._path = folder / f"{os.getpid()}-{time.time_ns()}.json"
        self._written = b""

    def write(self) -> None:
        """Write the current metrics if they have changed. Raises OSError."""
        content = orjson.dumps(snapshot())
        if content != self._written:
            _replace(self._path, content)
            self._written = content


@cache
def shared_file(folder: Path) -> SharedFile:
    """Return the file of this process in *folder*. Not to be called before a fork."""
    return SharedFile(folder)


def snapshot() -> Snapshot:
    """Return the current metrics of this process."""
    return {
        "series": {family.name: list(family.rows()) for family in FAMILIES},
        "gauges": {gauge.name: gauge.value for gauge in GAUGES},
    }


def end_process(folder: Path, pid: int) -> None:
    """Remove the gauges of the process *pid*, which has ended; its counters stay. Raises OSError."""
    for path in folder.glob(f"{pid}-*.json"):
        ended: Snapshot = orjson.loads(path.read_bytes())
        _replace(path, orjson.dumps({**ended, "gauges": {}}))


class ProcessMetrics(Collector):
    """The metrics of all processes that write to *folder*; without a folder, those of this process."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics. Raises OSError."""
        snapshots = self._snapshots()
        for family in FAMILIES:
            total: dict[Labels, list[float]] = {}
            for each in snapshots:
                for labels, row in each["series"].get(family.name, ()):
                    key = tuple(labels)
                    present = total.get(key)
                    total[key] = list(map(add, present, row)) if present else row
            yield family.family(total.items())
        for gauge in GAUGES:
            values = [each["gauges"][gauge.name] for each in snapshots if gauge.name in each["gauges"]]
            yield GaugeMetricFamily(gauge.name, gauge.text, gauge.merge(values or [0]))

    def _snapshots(self) -> list[Snapshot]:
        if self._folder is None:
            return [snapshot()]
        shared_file(self._folder).write()
        return [orjson.loads(path.read_bytes()) for path in sorted(self._folder.glob("*.json"))]


def _replace(path: Path, content: bytes) -> None:
    """Write *content* atomically: a reader finds either the old content or the new."""
    draft = path.with_suffix(".new")
    draft.write_bytes(content)
    draft.replace(path)
