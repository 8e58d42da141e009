"""The coding agents that tests run, each with a home and a repository of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.clients.node_packages import node_modules

Json = dict[str, Any]

DEAD_END = "http://127.0.0.1:9"  # for their requests to the Internet
CONFIG = """
model = "{model}"
model_provider = "poolgate"

[model_providers.poolgate]
name = "Poolgate"
base_url = "{base_url}"
env_key = "POOLGATE_KEY"
wire_api = "responses"
"""
NO_RETRIES = """\
request_max_retries = 0
stream_max_retries = 0
"""
OVER_WEBSOCKET = "supports_websockets = true\n"  # with its own retries: a lost connection uses one
BUILT_IN = """
model = "{model}"
openai_base_url = "{base_url}"
"""


def _prepared(folder: Path, key: str) -> tuple[Path, Path, dict[str, str]]:
    """Return (a repository, a home, the environment of a program)."""
    repository, home = folder / "repository", folder / "home"
    subprocess.run(["git", "init", "-q", repository], check=True)
    home.mkdir()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "POOLGATE_KEY": key,
        "HTTPS_PROXY": DEAD_END,
        "HTTP_PROXY": DEAD_END,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    return repository, home, environ


class Codex:
    """`codex exec`."""

    def __init__(
        self,
        folder: Path,
        base_url: str,
        key: str,
        model: str = "gpt-5.2",
        config: str = CONFIG + NO_RETRIES,
    ) -> None:
        self.repository, home, self._environ = _prepared(folder, key)
        self._environ["CODEX_API_KEY"] = key  # of its built-in provider
        (home / ".codex").mkdir()
        (home / ".codex" / "config.toml").write_text(config.format(base_url=base_url, model=model))
        self._program = node_modules() / ".bin" / "codex"

    def send_request(self, prompt: str, *options: str) -> tuple[int, list[Json]]:
        """Return the exit status, and the events that it prints."""
        return self._run(*options, prompt)

    def resume(self, prompt: str) -> tuple[int, list[Json]]:
        """Continue the last session."""
        return self._run("resume", "--last", prompt)

    def texts(self, events: list[Json]) -> list[str]:
        """Return the messages of the model."""
        return [item["text"] for item in sent_text(events, "agent_message")]

    def failures(self, events: list[Json]) -> list[Json]:
        """Return the events that report a failure."""
        return [event for event in events if event["type"] in ("error", "turn.failed")]

    def _run(self, *arguments: str) -> tuple[int, list[Json]]:
        how = ["exec", "--json", "-s", "danger-full-access", "-C", str(self.repository)]
        return _events_of([str(self._program), *how, *arguments], self._environ, self.repository)


class OpenCode:
    """`opencode run` over chat, or over Responses: its packages for both are within it."""

    PACKAGES = {"chat": "@ai-sdk/openai-compatible", "responses": "@ai-sdk/openai"}

    def __init__(self, folder: Path, base_url: str, key: str, model: str, protocol: str = "chat") -> None:
        self.repository, _, environ = _prepared(folder, key)
        provider = {
            "npm": self.PACKAGES[protocol],
            "name": "Poolgate",
            "options": {"baseURL": base_url, "apiKey": "{env:POOLGATE_KEY}"},
            "models": {model: {"name": model}},
        }
        off = {"autoupdate": False, "formatter": False, "lsp": False, "share": "disabled", "snapshot": False}
        config = {"provider": {"poolgate": provider}, "model": f"poolgate/{model}", **off}
        (self.repository / "opencode.json").write_text(json.dumps(config))
        self._environ = {
            **environ,
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_EXPERIMENTAL_DISABLE_FILEWATCHER": "1",
        }
        self._program = node_modules() / ".bin" / "opencode"

    def send_request(self, prompt: str, *options: str) -> tuple[int, list[Json]]:
        """Return the exit status, and the events that it prints."""
        command = [str(self._program), "run", "--format", "json", "--auto", *options, prompt]
        return _events_of(command, self._environ, self.repository)

    def resume(self, prompt: str) -> tuple[int, list[Json]]:
        """Continue the last session."""
        return self.send_request(prompt, "--continue")

    def texts(self, events: list[Json]) -> list[str]:
        """Return the messages of the model."""
        return [event["part"]["text"] for event in events if event["type"] == "text"]

    def failures(self, events: list[Json]) -> list[Json]:
        """Return the events that report a failure, also of a tool."""
        return [
            event
            for event in events
            if event["type"] == "error" or event.get("part", {}).get("state", {}).get("status") == "error"
        ]


def _events_of(command: list[str], environ: dict[str, str], folder: Path) -> tuple[int, list[Json]]:
    done = subprocess.run(
        command,
        env=environ,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=250,  # a busy machine starts them slowly
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def sent_text(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    done = [event["item"] for event in events if event["type"] == "item.completed"]
    return [item for item in done if item["type"] == kind]
