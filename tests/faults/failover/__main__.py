"""
The failover benchmark as a table.

    python -m tests.faults.failover [--topology B …] [--restart | --defaults] [--streamed | --whole]
                                    [--row | --apart] [--only S08 …] [--scale 1.0] [--remarks]

Without options: B with restarts and with plain defaults, streamed, in a row and apart, at full
length (three minutes). Ends with status 1 where the goal is missed: with restarts everything
passes; with defaults nothing fails and at least twelve pass.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product

from tests.faults.failover.bench import VERDICTS, Bench, Setup, Verdict
from tests.faults.failover.scenarios import SCENARIOS, Pace
from tests.faults.failover.topologies import TOPOLOGIES
from tests.faults.parts import running_parts

MIN_PASSES = 12  # with plain defaults


def main() -> int:
    arguments = _arguments()
    setups = _setups(arguments)
    scenarios = [each for each in SCENARIOS if not arguments.only or each.id in arguments.only]
    began = time.monotonic()
    with running_parts() as (gateway, upstream), ThreadPoolExecutor(len(setups)) as runners:
        bench = Bench(gateway, upstream, Pace(arguments.scale))
        columns = list(runners.map(lambda setup: bench.column(setup, scenarios), setups))
    for number, setup in enumerate(setups, 1):
        print(f"{number:>3}  {setup}")
    print("\n" + " " * 42 + "".join(f"{number:>9}" for number in range(1, len(setups) + 1)))
    for each in scenarios:
        words = "".join(f"{column[each.id].word:>9}" for column in columns)
        print(f"{each.id} {each.title:<38}{words}")
    counts = [Counter(verdict.word for verdict in column.values()) for column in columns]
    print(f"{'/'.join(VERDICTS):<42}" + "".join(f"{_counted(count):>9}" for count in counts))
    _print_remarks(setups, columns, everything=arguments.remarks)
    print(f"\n{time.monotonic() - began:.0f} s")
    return int(not all(map(reaches_goal, setups, columns)))


def reaches_goal(setup: Setup, column: dict[str, Verdict]) -> bool:
    """Whether a *column* of all scenarios is as good as it should be with a primary and a fallback."""
    words = Counter(verdict.word for verdict in column.values())
    if setup.topology == "B" and setup.restart:
        return words["pass"] == len(column)
    least = MIN_PASSES if setup.topology == "B" and len(column) == len(SCENARIOS) else 0
    return not words["FAIL"] and words["pass"] >= least


def _counted(count: Counter[str]) -> str:
    return "/".join(str(count[word]) for word in VERDICTS)


def _print_remarks(setups: list[Setup], columns: list[dict[str, Verdict]], *, everything: bool) -> None:
    for setup, column in zip(setups, columns, strict=True):
        for name, verdict in column.items():
            if everything or verdict.word != "pass":
                print(f"{setup}, {name}: {verdict.word}; " + "; ".join(verdict.remarks))


def _setups(arguments: argparse.Namespace) -> list[Setup]:
    return [
        Setup(topology, restart, stream, row)
        for topology, restart, stream, row in product(
            arguments.topology, arguments.restart, arguments.stream, arguments.row
        )
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.failover")
    parser.add_argument("--topology", nargs="+", choices=TOPOLOGIES, default=["B"])
    parser.add_argument(
        "--restart", dest="restart", action="store_const", const=[True], default=[True, False]
    )
    parser.add_argument("--defaults", dest="restart", action="store_const", const=[False])
    parser.add_argument("--streamed", dest="stream", action="store_const", const=[True], default=[True])
    parser.add_argument("--whole", dest="stream", action="store_const", const=[False])
    parser.add_argument("--row", dest="row", action="store_const", const=[True], default=[True, False])
    parser.add_argument("--apart", dest="row", action="store_const", const=[False])
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--remarks", action="store_true", help="for what passed, too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
