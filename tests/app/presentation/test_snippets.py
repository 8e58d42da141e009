from __future__ import annotations

import shlex
import tomllib

import orjson
import yaml

from app.presentation.snippets import CLIENTS, snippets

BASE_URL = "http://127.0.0.1:8000/v1"
ODD = 'it\'s "odd" $(x)'


def by_name(model: str, secret: str = "") -> dict[str, str]:
    return {one.name: one.text for one in snippets(BASE_URL, model, secret)}


def test_the_secret_stands_in_one_line_alone() -> None:
    by_client = by_name("gpt-5", "sk-pg-default-x")

    assert by_client.pop("Environment") == "export POOLGATE_KEY='sk-pg-default-x'"
    assert all("sk-pg-" not in text for text in by_client.values())


def test_files_can_be_read_back() -> None:
    by_client = by_name(ODD)

    codex = tomllib.loads(by_client["Codex CLI"])
    assert (codex["model"], codex["model_providers"]["poolgate"]["base_url"]) == (ODD, BASE_URL)
    assert ODD in orjson.loads(by_client["OpenCode"])["provider"]["poolgate"]["models"]
    compile(by_client["Python"], "snippet", "exec")


def test_a_shell_reads_the_question_as_one_word() -> None:
    words = shlex.split(by_name(ODD)["curl"])

    assert orjson.loads(words[words.index("-d") + 1])["model"] == ODD


def test_yaml_files_can_be_read_back() -> None:
    by_client = by_name(ODD)

    (model,) = yaml.safe_load(by_client["llm"])
    assert (model["model_name"], model["api_base"]) == (ODD, BASE_URL)
    (model,) = yaml.safe_load(by_client["Continue"])["models"]
    assert (model["model"], model["apiBase"], model["apiKey"]) == (
        ODD,
        BASE_URL,
        "${{ secrets.POOLGATE_KEY }}",
    )


def test_programs_in_the_shell() -> None:
    by_client = by_name(ODD)

    assert shlex.split(by_client["Aider"])[-1] == f"openai/{ODD}"
    assert shlex.split(by_client["Open WebUI"])[0] == f"OPENAI_API_BASE_URL={BASE_URL}"
    compile(by_client["LangChain"], "snippet", "exec")


def test_every_client_has_a_name_for_commands() -> None:
    assert CLIENTS[0] == "env"
    assert {"curl", "python", "node", "codex", "opencode", "vercel-ai", "cline"} <= set(CLIENTS)
    assert len(set(CLIENTS)) == len(CLIENTS)
