"""
Every configuration that `poolgate snippet` and the page of a key show, used by its client.

`TRIED` and `UNTRIED` are together all of them; `app/docs/clients.md` has the same list.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app.presentation.snippets import CLIENTS, snippets
from tests.clients.agents import Codex
from tests.clients.installed import program, run
from tests.clients.node_packages import node_modules
from tests.support.gateway import PoolOfTest
from tests.support.guide import page

MODEL = "gpt-5.2"
REPLY = "poolgate-demo"  # in every reply of the demo upstream, also where it calls a tool
TRIED = (
    "env",
    "curl",
    "python",
    "node",
    "codex",
    "opencode",
    "langchain",
    "vercel-ai",
    "aider",
    "llm",
    "cline",
    "continue",
)
UNTRIED = {"open-webui": "a web application of several gigabytes"}

pytestmark = pytest.mark.timeout(400)


def text_of(client: str, pool: PoolOfTest, secret: str = "") -> str:
    return next(one.text for one in snippets(f"{pool.gateway.url}/v1", MODEL, secret) if one.client == client)


def test_every_client_is_tried_or_listed_as_untried() -> None:
    assert {*TRIED, *UNTRIED} == set(CLIENTS)
    named = page("clients")
    assert all(f"`{client}`" in named for client in CLIENTS if client != "env")


class TestWithoutInstallation:
    def test_curl_with_the_environment(self, served: PoolOfTest, tmp_path: Path) -> None:
        script = text_of("env", served, served.key()) + "\n" + text_of("curl", served)

        printed = run(["bash", "-euc", script], tmp_path, "")

        assert printed.rstrip().endswith("data: [DONE]")

    def test_python(self, served: PoolOfTest, tmp_path: Path) -> None:
        assert REPLY in run([sys.executable, "-c", text_of("python", served)], tmp_path, served.key())


@pytest.mark.node
class TestNode:
    @pytest.mark.parametrize("client", ["node", "vercel-ai"])
    def test_a_module(self, client: str, served: PoolOfTest, tmp_path: Path) -> None:
        modules = node_modules()
        if not (modules / "ai").exists() and client == "vercel-ai":
            pytest.skip("ai is not installed")
        (tmp_path / "node_modules").symlink_to(modules)
        (tmp_path / "snippet.mjs").write_text(text_of(client, served))

        assert REPLY in run(["node", "snippet.mjs"], tmp_path, served.key())


@pytest.mark.codex
class TestAgents:
    def test_codex(self, served: PoolOfTest, tmp_path: Path) -> None:
        config = text_of("codex", served).replace("{", "{{").replace("}", "}}")
        codex = Codex(tmp_path, f"{served.gateway.url}/v1", served.key(), config=config)

        status, events = codex.send_request("Hello")

        assert status == 0
        assert any(REPLY in text for text in codex.texts(events))

    def test_opencode(self, served: PoolOfTest, tmp_path: Path) -> None:
        home = tmp_path / "home"
        home.mkdir()
        (home / "opencode.json").write_text(text_of("opencode", served))
        command = [str(node_modules() / ".bin" / "opencode"), "run", "-m", f"poolgate/{MODEL}", "Hello"]

        assert REPLY in run(command, home, served.key(), {"XDG_CONFIG_HOME": str(home)})


@pytest.mark.installed
class TestInstalled:
    def test_langchain(self, served: PoolOfTest, tmp_path: Path) -> None:
        python = program("clients", "python")

        assert REPLY in run([python, "-c", text_of("langchain", served)], tmp_path, served.key())

    def test_llm(self, served: PoolOfTest, tmp_path: Path) -> None:
        llm, secret = program("clients", "llm"), served.key()
        folder = {"LLM_USER_PATH": str(tmp_path)}
        assert run([llm, "logs", "path"], tmp_path, secret, folder).startswith(str(tmp_path))
        (tmp_path / "extra-openai-models.yaml").write_text(text_of("llm", served))
        run([llm, "keys", "set", "poolgate", "--value", secret], tmp_path, secret, folder)

        assert REPLY in run([llm, "-m", "poolgate", "Hello"], tmp_path, secret, folder)

    def test_aider(self, served: PoolOfTest, tmp_path: Path) -> None:
        options = "--message Hello --no-git --yes-always --no-check-update --no-show-model-warnings"
        folder = Path(program("aider", "aider")).parent
        path = {"PATH": f"{folder}:/usr/bin:/bin"}

        printed = run(["bash", "-euc", f"{text_of('aider', served)} {options}"], tmp_path, served.key(), path)

        assert REPLY in " ".join(printed.split())

    def test_cline(self, served: PoolOfTest, tmp_path: Path) -> None:
        cline, secret = program("node", "cline"), served.key()
        path = {"PATH": f"{Path(cline).parent}:{os.environ['PATH']}"}
        run(["bash", "-euc", text_of("cline", served)], tmp_path, secret, path)

        assert REPLY in run(
            [cline, "--provider", "openai-compatible", "--json", "Hello there"], tmp_path, secret
        )

    def test_continue(self, served: PoolOfTest, tmp_path: Path) -> None:
        folder = tmp_path / ".continue"
        folder.mkdir()
        (folder / "config.yaml").write_text(text_of("continue", served))
        command = [program("node", "cn"), "--config", str(folder / "config.yaml"), "--print", "Hello"]

        assert REPLY in run(command, tmp_path, served.key())


@pytest.mark.installed
def test_litellm_sdk(served: PoolOfTest, tmp_path: Path) -> None:
    """Programs that call other models through LiteLLM reach the gateway like OpenAI."""
    script = (
        "import os, litellm\n"
        f'reply = litellm.completion(model="openai/{MODEL}", api_base="{served.gateway.url}/v1",'
        ' api_key=os.environ["POOLGATE_KEY"], messages=[{"role": "user", "content": "Hello"}])\n'
        "print(reply.choices[0].message.content)"
    )
    python = program("clients", "python")
    environ = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}

    assert REPLY in run([python, "-c", script], tmp_path, served.key(), environ)
