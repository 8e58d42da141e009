"""The data that `poolgate up` passes to the supervising process, which replaces it (same process id)."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from app.supervision.running import RunningGateway
from app.supervision.supervisor import STOP_SIGNALS

ROOT = Path(__file__).parents[2]  # the folder of `app` and `workers`


@dataclass(frozen=True, slots=True)
class Handover:
    """
    What a start has prepared.

    `greeting` is printed once everything is ready, and has the new key; `demo_port` is that of the
    simulated upstream, if there is one; `owner` is the descriptor that owns the private server.
    """

    greeting: str
    gateway: RunningGateway
    demo_port: int | None
    owner: int | None


def become_supervisor(handover: Handover, environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by the supervising one, whose settings and those of its children are *environ*."""
    read, write = os.pipe()
    os.write(write, json.dumps(asdict(handover)).encode())  # fits into the pipe, which holds 64 kB
    os.close(write)
    os.set_inheritable(read, True)
    if handover.owner is not None:
        os.set_inheritable(handover.owner, True)
    # Signals are blocked until handlers are set: before, they would end the process with a traceback.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    os.chdir(ROOT)  # `-m` looks for packages here first
    os.execve(sys.executable, [sys.executable, "-m", "app.supervision", str(read)], dict(environ))


def read_handover(descriptor: int) -> Handover:
    """Return what `become_supervisor` wrote to the pipe *descriptor*."""
    with open(descriptor, "rb") as pipe:
        fields = json.load(pipe)
    return Handover(**{**fields, "gateway": RunningGateway(**fields["gateway"])})
