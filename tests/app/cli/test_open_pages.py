"""`poolgate open` finds the pages of the running gateway."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.supervision.running import RunningGateway, announced

PAGES = "http://127.0.0.1:8000/admin/"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was opened with; there is a display."""
    addresses: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: addresses.append(url) is None)
    monkeypatch.setenv("DISPLAY", ":0")
    return addresses


def run(home: Path, *args: str, pages: str = PAGES) -> Result:
    with announced(home, RunningGateway("http://127.0.0.1:8000/v1", pages, "first")):
        return CliRunner().invoke(main, ["open", *args], env={"POOLGATE_HOME": str(home)})


def test_with_a_browser(tmp_path: Path, opened: list[str]) -> None:
    assert run(tmp_path).stdout == f"{PAGES}\n"
    assert json.loads(run(tmp_path, "--json").stdout) == {"url": PAGES, "opened": True}
    assert opened == [PAGES] * 2


def test_only_the_address(tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On request, and without a display."""
    assert run(tmp_path, "--print").stdout == f"{PAGES}\n"
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert run(tmp_path).stdout == f"{PAGES}\n"

    assert opened == []


def test_without_pages_or_gateway(tmp_path: Path, opened: list[str]) -> None:
    assert "turns the pages of this gateway off" in run(tmp_path, pages="").stderr
    result = CliRunner().invoke(main, ["open"], env={"POOLGATE_HOME": str(tmp_path)})

    assert (result.exit_code, opened) == (1, [])
    assert "No gateway" in result.stderr
