"""Configuration snippets that point clients at this gateway. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

VARIABLE = "POOLGATE_KEY"


@dataclass(frozen=True, slots=True)
class Snippet:
    """The text for one client, and where to paste it; `client` is its name in commands."""

    client: str
    name: str
    language: str  # of the text, as Markdown names it
    where: str  # where to paste it
    text: str


def snippets(base_url: str, model: str, secret: str = "") -> list[Snippet]:
    """
    Return one snippet for each client; *base_url* ends in /v1.

    *secret* occurs only in the line that sets the environment, so that no configuration file contains it.
    """
    return list(_snippets(base_url, model, secret or "sk-pg-…"))


def _snippets(base_url: str, model: str, secret: str) -> Iterator[Snippet]:
    yield Snippet(
        "env", "Environment", "sh", "the shell, once, for all examples below", f"export {VARIABLE}='{secret}'"
    )
    yield from _of_sdks(base_url, model)
    yield from _of_agents(base_url, model)
    yield from _of_frameworks(base_url, model)
    yield from _of_programs(base_url, model)


def _of_sdks(base_url: str, model: str) -> Iterator[Snippet]:
    question = orjson.dumps(
        {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    ).decode()
    yield Snippet(
        "curl",
        "curl",
        "sh",
        "the shell",
        f'curl -sSN {base_url}/chat/completions \\\n  -H "Authorization: Bearer ${VARIABLE}" \\\n'
        f"  -H 'Content-Type: application/json' \\\n  -d {_quoted(question)}",
    )
    yield Snippet(
        "python",
        "Python",
        "python",
        "a program with openai from PyPI",
        "import os\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{base_url}", api_key=os.environ["{VARIABLE}"])\n'
        f'print(client.responses.create(model={_text(model)}, input="Hello").output_text)',
    )
    yield Snippet(
        "node",
        "Node",
        "js",
        "a program with openai from npm",
        'import OpenAI from "openai";\n\n'
        f'const client = new OpenAI({{ baseURL: "{base_url}", apiKey: process.env.{VARIABLE} }});\n'
        f'const answer = await client.responses.create({{ model: {_text(model)}, input: "Hello" }});\n'
        "console.log(answer.output_text);",
    )


def _of_agents(base_url: str, model: str) -> Iterator[Snippet]:
    yield Snippet(
        "codex",
        "Codex CLI",
        "toml",
        "~/.codex/config.toml; with supports_websockets = true it uses one connection for a session",
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
    text = orjson.dumps(config, option=orjson.OPT_INDENT_2).decode()
    yield Snippet("opencode", "OpenCode", "json", "opencode.json", text)


def _of_frameworks(base_url: str, model: str) -> Iterator[Snippet]:
    yield Snippet(
        "langchain",
        "LangChain",
        "python",
        "a program with langchain-openai from PyPI",
        "import os\nfrom langchain_openai import ChatOpenAI\n\n"
        f'model = ChatOpenAI(model={_text(model)}, base_url="{base_url}", api_key=os.environ["{VARIABLE}"])\n'
        'print(model.invoke("Hello").content)',
    )
    yield Snippet(
        "vercel-ai",
        "Vercel AI SDK",
        "js",
        "a program with ai and @ai-sdk/openai-compatible from npm",
        'import { createOpenAICompatible } from "@ai-sdk/openai-compatible";\n'
        'import { generateText } from "ai";\n\n'
        "const poolgate = createOpenAICompatible({\n"
        f'  name: "poolgate",\n  baseURL: "{base_url}",\n  apiKey: process.env.{VARIABLE},\n}});\n'
        f'const {{ text }} = await generateText({{ model: poolgate({_text(model)}), prompt: "Hello" }});\n'
        "console.log(text);",
    )


def _of_programs(base_url: str, model: str) -> Iterator[Snippet]:
    key = f'"${VARIABLE}"'
    yield Snippet(
        "open-webui",
        "Open WebUI",
        "sh",
        "the shell; in a container, use an address that the container can reach",
        f'OPENAI_API_BASE_URL="{base_url}" OPENAI_API_KEY={key} open-webui serve',
    )
    yield Snippet(
        "cline",
        "Cline, Roo Code",
        "sh",
        "the shell for Cline's command; the comments are for the settings of the extensions",
        f"cline auth --provider openai-compatible --baseurl {base_url} --apikey {key}"
        f" --modelid {_quoted(model)}\n\n"
        f"# API Provider  OpenAI Compatible\n# Base URL      {base_url}\n"
        f"# API Key       the value of {VARIABLE}\n# Model ID      {_one_line(model)}",
    )
    yield Snippet(
        "aider",
        "Aider",
        "sh",
        "the shell",
        f'OPENAI_API_BASE="{base_url}" OPENAI_API_KEY={key} aider --model {_quoted(f"openai/{model}")}',
    )
    yield Snippet(
        "llm",
        "llm",
        "yaml",
        "extra-openai-models.yaml in the folder of `llm logs path`; "
        f"then: llm keys set poolgate --value {key}",
        f"- model_id: poolgate\n  model_name: {_text(model)}\n"
        f'  api_base: "{base_url}"\n  api_key_name: poolgate',
    )
    yield Snippet(
        "continue",
        "Continue",
        "yaml",
        f"~/.continue/config.yaml; put {VARIABLE} into ~/.continue/.env",
        "name: Poolgate\nversion: 0.0.1\nschema: v1\nmodels:\n  - name: Poolgate\n    provider: openai\n"
        f'    model: {_text(model)}\n    apiBase: "{base_url}"\n    apiKey: ${{{{ secrets.{VARIABLE} }}}}',
    )


def _text(value: str) -> str:
    return orjson.dumps(value).decode()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    """Return *text* quoted as one shell word."""
    return "'" + text.replace("'", "'\\''") + "'"


CLIENTS = tuple(one.client for one in snippets("", ""))
