"""Metrics in memory, and their sums over the files of processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from app import process_metrics
from app.process_metrics import Counter, Gauge, Histogram, Merge, ProcessMetrics, SharedFile, end_process
from tests.support.metrics import sample


@pytest.fixture(autouse=True)
def none_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the metrics of the program, and without the file of an earlier test."""
    monkeypatch.setattr(process_metrics, "FAMILIES", [])
    monkeypatch.setattr(process_metrics, "GAUGES", [])
    process_metrics.shared_file.cache_clear()
    yield
    process_metrics.shared_file.cache_clear()


def other_process(folder: Path, pid: int, content: dict[str, Any]) -> None:
    (folder / f"{pid}-1.json").write_bytes(orjson.dumps(content))


def test_counter() -> None:
    counter = Counter("c", "Counted.", ("kind",))
    counter.inc(("a",))
    counter.inc(("a",), 2)
    counter.inc(("b",), 0)

    assert sample("c_total", kind="a") == 3
    assert sample("c_total", kind="b") == 0
    assert sample("c_total", kind="c") is None


def test_histogram() -> None:
    """A value that is a bound is in its bucket; buckets of Prometheus are cumulative."""
    histogram = Histogram("h", "Seconds.", ("path",), (0.1, 1))
    histogram.show(("/empty",))
    for value in (0.1, 0.5, 1, 7):
        histogram.observe(value, ("/",))

    assert sample("h_bucket", path="/", le="0.1") == 1
    assert sample("h_bucket", path="/", le="1.0") == 3
    assert sample("h_bucket", path="/", le="+Inf") == 4
    assert sample("h_count", path="/") == 4
    assert sample("h_sum", path="/") == pytest.approx(8.6)
    assert sample("h_count", path="/empty") == 0


def test_sums_over_processes(tmp_path: Path) -> None:
    counter, histogram = Counter("c", "", ("kind",)), Histogram("h", "", (), (1,))
    open_, lag = Gauge("open", ""), Gauge("lag", "", Merge.MAX)
    counter.inc(("a",), 1)
    histogram.observe(0.5)
    open_.value, lag.value = 2, 0.25
    series = {"c": [[["a"], [10]], [["b"], [5]]], "h": [[[], [0, 3, 9]]], "of_another_version": [[[], [1]]]}
    other_process(tmp_path, 4, {"series": series, "gauges": {"open": 3, "lag": 0.5}})
    other_process(tmp_path, 5, {"series": {}, "gauges": {}})

    assert sample("c_total", tmp_path, kind="a") == 11
    assert sample("c_total", tmp_path, kind="b") == 5
    assert sample("h_count", tmp_path) == 4
    assert sample("h_sum", tmp_path) == 9.5
    assert sample("open", tmp_path) == 5
    assert sample("lag", tmp_path) == 0.5


def test_a_process_that_has_ended(tmp_path: Path) -> None:
    Counter("c", "")
    Gauge("open", "")
    other_process(tmp_path, 4, {"series": {"c": [[[], [7]]]}, "gauges": {"open": 3}})

    end_process(tmp_path, 4)
    end_process(tmp_path, 40)  # it has written nothing

    assert sample("c_total", tmp_path) == 7
    assert sample("open", tmp_path) == 0


def test_the_file_is_replaced_when_something_changed(tmp_path: Path) -> None:
    counter = Counter("c", "")
    shared = SharedFile(tmp_path)
    counter.inc()
    shared.write()
    (file,) = tmp_path.iterdir()
    first = file.stat()

    shared.write()
    assert file.stat().st_ino == first.st_ino
    counter.inc()
    shared.write()

    assert file.stat().st_ino != first.st_ino
    assert list(tmp_path.iterdir()) == [file]
    assert sample("c_total", tmp_path) == 4  # of this file, and of that of the scrape


def test_processes_with_one_number_have_a_file_each(tmp_path: Path) -> None:
    Counter("c", "").inc()
    SharedFile(tmp_path).write()
    SharedFile(tmp_path).write()

    assert len(list(tmp_path.iterdir())) == 2


def test_exposition_without_samples() -> None:
    registry = CollectorRegistry()
    Counter("c", "Counted.", ("kind",))
    registry.register(ProcessMetrics(None))

    assert generate_latest(registry) == b"# HELP c_total Counted.\n# TYPE c_total counter\n"
