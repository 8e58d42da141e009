"""
Hosts that are network namespaces of this machine: each has a link to its callers and one to the store.

    caller <-- 10.N.1.1 | 10.N.1.2 --> host 1        store <-- 10.N.11.1 | 10.N.11.2 --> host 1

Needs root and iproute2.
"""

from __future__ import annotations

import os
import shutil
import subprocess

IP = shutil.which("ip") or ""


def may() -> bool:
    """Return whether this process can create such hosts: root in a container often cannot."""
    if not IP or os.geteuid() != 0:
        return False
    name = f"pg{os.getpid()}-probe"
    made = subprocess.run([IP, "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        _ip("netns", "delete", name)
    return made


class Host:
    def __init__(self, number: int) -> None:
        net = f"10.{200 + os.getpid() % 50}"
        self._name = f"pg{os.getpid()}-{number}"
        self._lines = {"c": f"{net}.{number}", "s": f"{net}.{10 + number}"}
        self.address = f"{net}.{number}.2"
        self.outside = f"{net}.{number}.1"  # address of this machine on the link of the callers
        self.store = f"{net}.{10 + number}.1"  # address of this machine on the link to the store
        self.inside = (IP, "netns", "exec", self._name)
        _ip("netns", "add", self._name)
        _ip("-n", self._name, "link", "set", "lo", "up")
        for line, prefix in self._lines.items():
            here, there = self._ends(line)
            _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", self._name)
            _ip("address", "add", f"{prefix}.1/30", "dev", here)
            _ip("-n", self._name, "address", "add", f"{prefix}.2/30", "dev", there)
            _ip("link", "set", here, "up")
            _ip("-n", self._name, "link", "set", there, "up")

    def _ends(self, line: str) -> tuple[str, str]:
        return f"pg{os.getpid()}{line}{self._lines[line].rpartition('.')[2]}", line

    def reach(self, address: str) -> None:
        """Let the host reach another address of this machine over the link of its callers."""
        if address != self.outside:
            _ip("-n", self._name, "route", "add", f"{address}/32", "via", self.outside)

    def cut(self) -> None:
        """Drop all packets between host and store, without notifying either."""
        _ip("link", "set", self._ends("s")[0], "down")

    def repair(self) -> None:
        _ip("link", "set", self._ends("s")[0], "up")

    def remove(self) -> None:
        for line in self._lines:
            _ip("link", "delete", self._ends(line)[0])
        _ip("netns", "delete", self._name)


def _ip(*arguments: str) -> None:
    subprocess.run([IP, *arguments], check=True)
