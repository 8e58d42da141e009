"""A request of the playground: its body, the text of its response, and code that sends it."""

from __future__ import annotations

import pprint
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.presentation.snippets import VARIABLE, Snippet

Json = dict[str, Any]

CHAT, RESPONSES = "chat", "responses"
# The account is a part of the model's name there.
PATH_WITH_ACCOUNT = "/openai/v1/chat/completions"
PATHS = {CHAT: "/v1/chat/completions", RESPONSES: "/v1/responses"}
WIDTH = 88  # of the code


@dataclass(frozen=True, slots=True)
class PlaygroundRequest:
    """The request that *fields*, those of a valid PlaygroundInput, describe."""

    fields: Mapping[str, Any]

    @property
    def path(self) -> str:
        return PATH_WITH_ACCOUNT if "account" in self.fields else PATHS[self.fields["endpoint"]]

    @property
    def is_chat(self) -> bool:
        return bool(self.fields["endpoint"] == CHAT)

    @property
    def messages(self) -> list[Json]:
        """The conversation, without the system message."""
        return [*self.fields["turns"], {"role": "user", "content": self.fields["message"]}]

    def body(self) -> Json:
        """Return the JSON body."""
        body = self._chat_body() if self.is_chat else self._responses_body()
        return {name: value for name, value in body.items() if value is not None}

    def _chat_body(self) -> Json:
        fields = self.fields
        system = [{"role": "system", "content": fields["system"]}] if fields.get("system") else []
        account, model = fields.get("account"), fields["model"]
        return {
            "model": f"{account}/{model}" if account else model,
            "messages": [*system, *self.messages],
            "temperature": fields.get("temperature"),
            "max_completion_tokens": fields.get("max_tokens"),
            "reasoning_effort": fields.get("effort"),
            "response_format": {"type": "json_object"} if fields["json"] else None,
            "stream": True if fields["stream"] else None,
            "stream_options": {"include_usage": True} if fields["stream"] else None,
        }

    def _responses_body(self) -> Json:
        fields = self.fields
        return {
            "model": fields["model"],
            "instructions": fields.get("system") or None,
            "input": self.messages,
            "temperature": fields.get("temperature"),
            "max_output_tokens": fields.get("max_tokens"),
            "reasoning": {"effort": fields["effort"]} if "effort" in fields else None,
            "text": {"format": {"type": "json_object"}} if fields["json"] else None,
            "stream": True if fields["stream"] else None,
        }


def reply_text(body: Any) -> str:
    """Return the text of *body*, a chat completion or a response; '' if it has none."""
    if not isinstance(body, dict):
        return ""
    parts: list[Any] = []
    for choice in _dicts(body.get("choices")):
        message = choice.get("message")
        parts += [message.get("content"), message.get("refusal")] if isinstance(message, dict) else []
    for item in _dicts(body.get("output")):
        for part in _dicts(item.get("content")) if item.get("type") == "message" else ():
            parts += [part.get("text"), part.get("refusal")]
    return "".join(part for part in parts if isinstance(part, str))


def _dicts(value: Any) -> Iterator[Json]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


def request_snippets(origin: str, request: PlaygroundRequest) -> Sequence[Snippet]:
    """Return code that sends *request* to the gateway at *origin*, with the key in a variable."""
    body, url = request.body(), origin + request.path
    base_url = url.removesuffix("/chat/completions").removesuffix("/responses")
    return (
        Snippet("curl", "curl", "sh", "the shell", _curl(url, body)),
        Snippet(
            "python", "Python", "python", "a program with openai from PyPI", _python(base_url, body, request)
        ),
        Snippet("node", "Node", "js", "a program with openai from npm", _node(base_url, body, request)),
    )


def to_text(body: Any) -> str:
    """Return *body* as indented JSON."""
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()


def _curl(url: str, body: Json) -> str:
    quoted = "'" + to_text(body).replace("'", "'\\''") + "'"
    return (
        f'curl -sSN {url} \\\n  -H "Authorization: Bearer ${VARIABLE}" \\\n'
        f"  -H 'Content-Type: application/json' \\\n  -d {quoted}"
    )


def _python(base_url: str, body: Json, request: PlaygroundRequest) -> str:
    arguments = "".join(
        f"    {name}={_indented(pprint.pformat(value, width=WIDTH, sort_dicts=False))},\n"
        for name, value in body.items()
    )
    head = (
        "import os\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{base_url}", api_key=os.environ["{VARIABLE}"])\n'
        f"response = client.{_method(request)}(\n{arguments})\n"
    )
    if "stream" not in body:
        text = "choices[0].message.content" if request.is_chat else "output_text"
        return f"{head}print(response.{text})"
    if request.is_chat:
        return (
            f"{head}for chunk in response:\n    for choice in chunk.choices:\n"
            '        print(choice.delta.content or "", end="", flush=True)'
        )
    return (
        f"{head}for event in response:\n"
        '    if event.type == "response.output_text.delta":\n        print(event.delta, end="", flush=True)'
    )


def _node(base_url: str, body: Json, request: PlaygroundRequest) -> str:
    head = (
        'import OpenAI from "openai";\n\n'
        f'const client = new OpenAI({{ baseURL: "{base_url}", apiKey: process.env.{VARIABLE} }});\n'
        f"const response = await client.{_method(request)}({to_text(body)});\n"
    )
    if "stream" not in body:
        text = "choices[0].message.content" if request.is_chat else "output_text"
        return f"{head}console.log(response.{text});"
    if request.is_chat:
        return (
            f"{head}for await (const chunk of response) {{\n"
            '  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");\n}'
        )
    return (
        f"{head}for await (const event of response) {{\n"
        '  if (event.type === "response.output_text.delta") process.stdout.write(event.delta);\n}'
    )


def _method(request: PlaygroundRequest) -> str:
    return "chat.completions.create" if request.is_chat else "responses.create"


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
