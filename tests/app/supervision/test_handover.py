"""What the command hands over is what the supervising process reads, and its descriptors stay open."""

from __future__ import annotations

import os
import signal

import pytest

from app.supervision.handover import ROOT, Handover, become_supervisor, read_handover
from app.supervision.running import RunningGateway

GATEWAY = RunningGateway("http://127.0.0.1:1/v1", "", "first")


class Executed(Exception):
    """The program of this process was replaced: its arguments and its environment."""


@pytest.fixture
def executes(monkeypatch: pytest.MonkeyPatch) -> None:
    def execve(_program: str, arguments: list[str], environ: dict[str, str]) -> None:
        raise Executed(arguments, environ)

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.chdir(ROOT)  # and back, at the end of the test
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)


@pytest.mark.usefixtures("executes")
@pytest.mark.parametrize("has_owner", [True, False])
def test_what_is_handed_over_is_read(has_owner: bool) -> None:
    owner, other = os.pipe()
    handover = Handover("Ready: ünicode\nsk-x", GATEWAY, 8001, owner if has_owner else None)

    with pytest.raises(Executed) as executed:
        become_supervisor(handover, {"NAME": "value"})

    (_, *module, descriptor), environ = executed.value.args
    assert module == ["-m", "app.supervision"]
    assert environ == {"NAME": "value"}
    assert os.get_inheritable(int(descriptor))
    assert os.get_inheritable(owner) is has_owner
    assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert read_handover(int(descriptor)) == handover
    for each in (owner, other):
        os.close(each)
