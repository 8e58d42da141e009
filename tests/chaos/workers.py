"""What web workers hold, read from outside: memory, connections, greenlets."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.gateway import Gateway
from tests.support.processes import eventually

MIB = 1024 * 1024


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def held(gateway: Gateway, folder: Path) -> dict[str, int]:
    """The maxima over all workers: greenlets, and client connections."""
    counts = {"greenlets": 0, "client sockets": 0}
    port, local_ports = int(gateway.url.rpartition(":")[2]), _local_ports()
    for pid in gateway.children():
        links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        sockets = sum(local_ports.get(link) == port for link in links)
        counts["client sockets"] = max(counts["client sockets"], sockets)
        counts["greenlets"] = max(counts["greenlets"], _greenlets(folder, pid))
    return counts


def _local_ports() -> dict[str, int]:
    """Return the local port of every TCP socket, by what its descriptor is a link to."""
    ports = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        ports[f"socket:[{columns[9]}]"] = int(columns[1].rpartition(":")[2], 16)
    return ports


def _greenlets(folder: Path, pid: int) -> int:
    reply = folder / str(pid)
    reply.unlink(missing_ok=True)
    os.kill(pid, signal.SIGRTMIN)  # `counting` answers it
    assert eventually(reply.exists), f"worker {pid} does not count"
    return int(reply.read_text())
