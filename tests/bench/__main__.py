"""
Measure the gateway: `python -m tests.bench [--quick] [--profile SCENARIO] [--out FILE]`.

A table on stdout, the figures as JSON after it or in FILE. CPU time is of the gateway's whole
process tree, Redis alongside. nginx, the bare upstream, and the least that a gateway of the same packages
does (`floor`) are measured in turns with it.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path

import orjson

from tests.bench import profiling
from tests.bench.report import table
from tests.bench.scenarios import COMPLETE, QUICK, everything
from tests.bench.stage import stage


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what the gateway costs.")
    parser.add_argument("--quick", action="store_true", help="few slices, about a minute")
    parser.add_argument(
        "--profile", choices=profiling.SCENARIOS, help="show where the time of one scenario goes instead"
    )
    parser.add_argument("--seconds", type=int, default=8, help="how long to sample")
    parser.add_argument("--out", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    if options.profile:
        with stage(**profiling.ENVIRONMENT) as standing:
            print(profiling.profile(standing.one, options.profile, options.seconds))
        return
    with stage() as standing:
        figures = everything(standing, QUICK if options.quick else COMPLETE)
    figures["machine"] = {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "yardstick_ms": yardstick_ms(),
    }
    print(table(figures))
    text = orjson.dumps(figures, option=orjson.OPT_INDENT_2)
    if options.out:
        options.out.write_bytes(text)
    else:
        print(text.decode())


def yardstick_ms() -> float:
    """Return the CPU time of a fixed piece of work, to compare machines and moods of one machine by."""
    times = []
    for _ in range(5):
        began = time.process_time()
        for number in range(20_000):
            orjson.loads(orjson.dumps({"number": number, "text": str(number)}))
        times.append((time.process_time() - began) * 1000)
    return round(min(times), 2)


if __name__ == "__main__":
    main()
