"""
The fault wall as a table.

    python -m tests.faults [--only NAME] [--real-time]

Ends with status 1 unless everything passes. `--real-time` leaves the gateway its real time
limits; without it they are a tenth.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.faults.case_runner import CI_SCALE, SETTINGS, VERDICTS, Score, Setting, Wall, settings_of
from tests.faults.cases import CASES, Case
from tests.faults.parts import running_parts

AT_ONCE = 24


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--only", metavar="NAME", default="", help="cases whose names contain this")
    parser.add_argument("--real-time", action="store_true", help="with the real time limits")
    arguments = parser.parse_args()
    cases = [case for name, case in CASES.items() if arguments.only in name]
    scale = 1.0 if arguments.real_time else CI_SCALE
    began = time.monotonic()
    with running_parts() as (gateway, upstream):
        scores = scored(Wall(gateway, upstream, scale), cases)
    _print_table(cases, scores)
    verdicts = Counter(score.verdict for score in scores.values())
    counted = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS)
    print(f"\n{counted}, in {time.monotonic() - began:.0f} s")
    return int(set(verdicts) != {"pass"})


def scored(wall: Wall, cases: list[Case]) -> dict[tuple[str, Setting], Score]:
    tasks = [(case, setting) for case in cases for setting in settings_of(case)]
    with ThreadPoolExecutor(AT_ONCE) as clients:
        scores = clients.map(lambda task: wall.score(*task), tasks)
        return {(case.name, setting): score for (case, setting), score in zip(tasks, scores, strict=True)}


def _print_table(cases: list[Case], scores: dict[tuple[str, Setting], Score]) -> None:
    width = max(len(case.name) for case in cases)
    columns = [str(setting).split("-") for setting in SETTINGS]
    for line in range(3):
        print(" " * width, *(f"{column[line]:<10}" for column in columns))
    for case in cases:
        verdicts = [scores.get((case.name, setting)) for setting in SETTINGS]
        print(f"{case.name:<{width}}", *(f"{score.verdict if score else '':<10}" for score in verdicts))
    for (name, setting), score in scores.items():
        if score.remarks:
            print(f"\n{name}, {setting}: {score.verdict}", *score.remarks, sep="\n  ")


if __name__ == "__main__":
    sys.exit(main())
