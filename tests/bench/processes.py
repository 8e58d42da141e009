"""What processes cost, from /proc: CPU seconds and memory of a process and all that it started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

MIB = 1024 * 1024


def tree(pid: int) -> list[int]:
    """Return *pid* and its descendants."""
    found = [pid]
    for parent in found:
        for listing in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, listing.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, of *pid* and its live descendants."""
    return sum(ran for ran, _ in _schedules(pid)) / 1e9


def starved_seconds(pid: int) -> float:
    """Return how long *pid* and its descendants could have run, but others had the machine."""
    return sum(waited for _, waited in _schedules(pid)) / 1e9


def _schedules(pid: int) -> Iterator[tuple[int, int]]:
    """Yield what each thread of *pid* and its descendants ran and waited for the CPU, in nanoseconds."""
    for process in tree(pid):
        for schedule in Path(f"/proc/{process}/task").glob("*/schedstat"):
            ran, waited, _ = schedule.read_text().split()
            yield int(ran), int(waited)


def proportional_mib(pid: int) -> float:
    """Return the memory of one process, with its share of the pages that others have as well."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def resident_mib(pid: int) -> float:
    """Return the resident memory of one process, shared pages included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB
