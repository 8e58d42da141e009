"""What web workers hold, read from outside: memory, sockets, greenlets."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

from tests.support.gateway import Gateway
from tests.support.processes import eventually

MIB = 1024 * 1024


def memory_mib(gateway: Gateway) -> float:
    """Resident memory of all workers; what they share counts for each."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in gateway.children())
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def held(gateway: Gateway, folder: Path, upstream_port: int) -> Counter[str]:
    """
    Count greenlets and TCP sockets of all workers.

    Connections to the upstream are counted apart: idle ones are kept for the next request.
    """
    counts = Counter({"upstream sockets": 0, "client sockets": 0, "greenlets": 0})
    remote_ports = _remote_ports()
    for pid in gateway.children():
        for link in Path(f"/proc/{pid}/fd").iterdir():
            port = remote_ports.get(os.readlink(link))
            if port is not None:
                counts["upstream sockets" if port == upstream_port else "client sockets"] += 1
        counts["greenlets"] += _greenlets(folder, pid)
    return counts


def _remote_ports() -> dict[str, int]:
    """Return the remote port of every TCP socket, by what its descriptor is a link to."""
    ports = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        ports[f"socket:[{columns[9]}]"] = int(columns[2].rpartition(":")[2], 16)
    return ports


def _greenlets(folder: Path, pid: int) -> int:
    told = folder / str(pid)
    told.unlink(missing_ok=True)
    os.kill(pid, signal.SIGRTMIN)  # `counting` answers it
    assert eventually(told.exists), f"worker {pid} does not count"
    return int(told.read_text())
