"""What processes cost, from /proc: CPU seconds and memory of a process and all that it started."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1024 * 1024


def tree(pid: int) -> list[int]:
    """Return *pid* and its descendants."""
    found = [pid]
    for parent in found:
        for listing in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, listing.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, of *pid*, its descendants, and those that have ended."""
    ticks = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    return ticks / TICKS


def starved_seconds(pid: int) -> float:
    """Return how long *pid* and its descendants could have run, but others had the machine."""
    schedules = (Path(f"/proc/{process}/schedstat").read_text().split() for process in tree(pid))
    return sum(int(waited) for _, waited, _ in schedules) / 1e9


def resident_mib(pid: int) -> float:
    """Return the resident memory of one process, shared pages included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB
