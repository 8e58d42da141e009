"""
Exact books: `python -m tests.billing [--seconds 90] [--clients 64] [--kills 4] [--seed N]`.

Random clients, a third of which disconnect, at two workers that are killed; upstreams that fail, reason
unseen and report nothing. Ends with status 1 where a request is charged less than was billed, a strict
limit is exceeded, or anything is left open.
"""

from __future__ import annotations

import argparse
import sys

from tests.billing.run import Plan, run
from tests.faults.parts import running_parts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.billing")
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    room = given.seconds * given.clients / (6.0 * 12)
    plan = Plan(given.seed, given.seconds, given.clients, given.kills, kills=True, room=room / 3)
    with running_parts() as (gateway, upstream):
        findings = run(gateway.pool(), upstream, plan)
    for what, number in sorted(findings.counts.items()):
        print(f"{what}: {number}")
    for fault in findings.faults[:40]:
        print("WRONG:", fault)
    print(f"seed {given.seed}: {len(findings.faults)} faults")
    return int(bool(findings.faults))


if __name__ == "__main__":
    sys.exit(main())
