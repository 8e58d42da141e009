"""
Fuzzers over what callers, operators and upstreams send: `python -m tests.fuzz --minutes 30 [--seed N]`.

`--kinds admin,reports` plays those alone: `requests` and `answers` are of model endpoints, `admin` of the
admin API, `reports` of lists of models, usage and token renewals.

A failing case is printed whole, with the command that plays it again: `--only "answers 17"`.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.run import KINDS, Run
from tests.fuzz.stage import running_stage
from tests.support.redis import private_redis, short_folder

MAX_SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--only", metavar="CASE", help="play this case alone, such as 'answers 17'")
    parser.add_argument("--log", action="store_true", help="show what else is known of that case")
    parser.add_argument("--kinds", default=",".join(KINDS), help="of cases, separated by commas")
    arguments = parser.parse_args()
    with private_redis() as url, short_folder() as folder, running_stage(url, folder) as stage:
        run = Run(stage, arguments.seed, arguments.kinds.split(","))
        if arguments.only:
            case = run.case(arguments.only)
            print(case.shown())
            found = run.once(case)
            print(*found, sep="\n")
            return int(bool(found))
        began = time.monotonic()
        run.until(began + arguments.minutes * 60, at_once=arguments.at_once)
        seconds = time.monotonic() - began
        report, grown, letters = run.report, run.grown(), stage.dead_letters()
    for case, found in report.wrong[:MAX_SHOWN]:
        print(f"WRONG: {case.name}", *found, case.shown()[:4000], sep="\n  ")
        print(f'  python -m tests.fuzz --seed {arguments.seed} --only "{case.name}"')
    for fault in (*grown, *letters):
        print("WRONG:", fault)
    total = sum(report.cases.values())
    print(
        f"seed {arguments.seed}: {dict(report.cases)} in {seconds:.0f} s, {total / seconds * 60:.0f} a minute"
    )
    print(f"statuses {dict(sorted(report.statuses.items()))}, {len(report.wrong)} wrong")
    return int(bool(report.wrong or grown or letters))


if __name__ == "__main__":
    sys.exit(main())
