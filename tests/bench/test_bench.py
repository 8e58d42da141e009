"""The bench runs and reports every figure. The values are not checked here."""

from __future__ import annotations

import pytest

from tests.bench import profiling, websocket
from tests.bench.report import ROWS, Row, multiple, table
from tests.bench.scenarios import TINY, everything, summary
from tests.bench.stage import stage


@pytest.mark.timeout(180)
def test_every_figure_is_there():
    """A run of a few requests has whole responses only, and a number in every row of the table."""
    with stage() as standing:
        figures = everything(standing, TINY)
        sockets = websocket.measured(standing.one, idle=5, active=2, seconds=0.5)

    reply = table(figures)

    for row in ROWS:
        assert figures[f"{row.scenario} w1"][row.figure] is not None, row.words
        assert row.words in reply
    assert figures["store"]["round_trips"] == 2
    assert figures["memory"]["idle_worker_mib"] > 0
    assert figures["growth"]["growth_percent"] > -100
    assert sockets["lag_p99_ms"] >= sockets["lag_p50_ms"] > 0
    assert sockets["events_per_second"] > 0


def test_multiples_of_nginx_and_of_the_floor():
    """CPU time is also stated as a multiple of what the references take."""
    row = Row("CPU ms / request", "small_1", "cpu_ms")
    values = {"w1": 0.8, "floor": 0.5, "nginx": 0.04, "direct": None}

    assert multiple(row, values, "nginx") == pytest.approx(20)
    assert multiple(row, values, "floor") == pytest.approx(1.6)
    assert multiple(row, values | {"nginx": None}, "nginx") is None  # it is not installed
    assert multiple(row._replace(figure="p50_ms"), values, "nginx") is None


def test_a_summary_of_slices():
    """CPU time is that of the cheapest slice, since neighbours only add to it; latency is the median."""
    slices = [{"cpu_ms": cpu, "p50_ms": cpu + 1} for cpu in (1.3, 1.1, 2.2)]

    assert summary(slices) == {"cpu_ms": 1.1, "p50_ms": 2.3}


def test_a_profile_ranks_functions_by_what_they_cost():
    """Samples of a function count once, however often it is on the stack."""
    summary = profiling.summary("work  a.py;run  b.py;run  b.py 3\nrun  b.py 1")

    assert "4 samples" in summary
    assert "75.0%" in next(line for line in summary.splitlines() if line.endswith("work  a.py"))
    assert "25.0%              100.0%  run  b.py" in summary
