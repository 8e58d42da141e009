"""Ctrl-C and Ctrl-D, at prompts and while a command runs: exit code 130 and one sentence."""

from __future__ import annotations

import json
import socket

import pytest

from app.operations.api_keys import ApiKeyOperations
from app.wiring import Services
from tests.app.cli.conftest import Run
from tests.support.terminal import CTRL_D, Terminal, terminal

UNCHANGED = "Interrupted. Nothing was changed."


@pytest.fixture
def key(services: Services) -> None:
    services.pools.ensure("default")
    services.api_keys.create("default", "ann")


@pytest.mark.parametrize("leave", [Terminal.interrupt, lambda shown: shown.type(CTRL_D)], ids=["c", "d"])
class TestPrompts:
    def test_confirmation(self, environ, services, key, leave):
        with terminal(environ, "key", "remove", "ann") as shown:
            shown.wait_for("[y/N]:")
            leave(shown)

            assert shown.end() == 130
        assert shown.output.endswith(f"\n{UNCHANGED}\n")
        assert services.api_keys.find("default", "ann")

    def test_in_json(self, environ, services, key, leave):
        with terminal(environ, "key", "remove", "ann", "--json") as shown:
            shown.wait_for("[y/N]:")
            leave(shown)

            assert shown.end() == 130
        assert json.loads(shown.output.splitlines()[-1])["error"]["message"] == UNCHANGED

    def test_hidden_input(self, environ, services, leave):
        """Also at the second prompt; afterwards the terminal shows again what is typed."""
        for typed in ((), ("correct horse battery\n",)):
            with terminal(environ, "admin", "create", "ann") as shown:
                shown.wait_for("Password:")
                for text in typed:
                    shown.type(text)
                    shown.wait_for("Repeat the password:")
                assert not shown.echoes
                leave(shown)

                assert shown.end() == 130
                assert shown.echoes
            assert shown.output.endswith(f"\n{UNCHANGED}\n")
            assert "\n\n" not in shown.output
        assert services.operator_stores.operators.all() == []


def test_another_reply_than_yes(environ, services, key):
    with terminal(environ, "key", "remove", "ann") as shown:
        shown.wait_for("[y/N]:")
        shown.type("n\n")

        assert shown.end() == 1
    assert shown.output.endswith("\nNothing was changed.\n")
    assert services.api_keys.find("default", "ann")


@pytest.mark.parametrize(
    ("args", "shows"), [(("top",), "Pool default"), (("logs", "--follow"), ""), (("usage",), "")]
)
def test_a_command_that_runs(environ, services, key, args, shows):
    """`usage` and `logs` wait for a store that never replies."""
    with socket.create_server(("127.0.0.1", 0)) as hung:
        url = {} if shows else {"REDIS_URL": f"redis://127.0.0.1:{hung.getsockname()[1]}"}
        with terminal(environ | url, *args) as shown:
            if shows:
                shown.wait_for(shows)
                connections = []
            else:
                connections = [hung.accept()[0]]
            shown.interrupt()

            assert shown.end() == 130
            assert shown.echoes
            for connection in connections:
                connection.close()
    assert shown.output.endswith("\nInterrupted.\n")
    assert "Traceback" not in shown.output


def test_a_change_that_was_begun(poolgate: Run, key: None, monkeypatch: pytest.MonkeyPatch):
    """Whether it was made is not known here, but recorded."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ApiKeyOperations, "disable", interrupt)

    result = poolgate("key disable ann")

    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "Interrupted. poolgate audit lists what was changed before.\n"
