"""Configuration snippets that point clients at this gateway. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

VARIABLE = "POOLGATE_KEY"


@dataclass(frozen=True, slots=True)
class Snippet:
    """The text for one client, and where to paste it."""

    name: str
    where: str  # to paste it
    text: str


def snippets(base_url: str, model: str, secret: str = "") -> list[Snippet]:
    """
    Return one snippet for each client; *base_url* ends in /v1.

    *secret* is only in the line that sets the environment, so that no configuration file contains it.
    """
    return list(_snippets(base_url, model, secret or "sk-pg-…"))


def _snippets(base_url: str, model: str, secret: str) -> Iterator[Snippet]:
    yield Snippet("Environment", "the shell, once, for all examples below", f"export {VARIABLE}='{secret}'")
    question = orjson.dumps(
        {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    ).decode()
    yield Snippet(
        "curl",
        "the shell",
        f'curl -sSN {base_url}/chat/completions \\\n  -H "Authorization: Bearer ${VARIABLE}" \\\n'
        f"  -H 'Content-Type: application/json' \\\n  -d {_quoted(question)}",
    )
    yield Snippet(
        "Python",
        "openai from PyPI",
        "import os\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{base_url}", api_key=os.environ["{VARIABLE}"])\n'
        f'print(client.responses.create(model={_text(model)}, input="Hello").output_text)',
    )
    yield Snippet(
        "Node",
        "openai from npm",
        'import OpenAI from "openai";\n\n'
        f'const client = new OpenAI({{ baseURL: "{base_url}", apiKey: process.env.{VARIABLE} }});\n'
        f'const answer = await client.responses.create({{ model: {_text(model)}, input: "Hello" }});\n'
        "console.log(answer.output_text);",
    )
    yield Snippet(
        "Codex CLI",
        "~/.codex/config.toml",
        f'model = {_text(model)}\nmodel_provider = "poolgate"\n\n'
        '[model_providers.poolgate]\nname = "Poolgate"\n'
        f'base_url = "{base_url}"\nenv_key = "{VARIABLE}"\nwire_api = "responses"',
    )
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Poolgate",
        "options": {"baseURL": base_url, "apiKey": f"{{env:{VARIABLE}}}"},
        "models": {model: {}},
    }
    config = {"$schema": "https://opencode.ai/config.json", "provider": {"poolgate": provider}}
    yield Snippet("OpenCode", "opencode.json", orjson.dumps(config, option=orjson.OPT_INDENT_2).decode())


def _text(value: str) -> str:
    return orjson.dumps(value).decode()


def _quoted(text: str) -> str:
    """Return *text* quoted as one word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"
