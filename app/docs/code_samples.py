"""Code that sends the example of an operation: curl, Python and Node. Pure."""

from __future__ import annotations

import pprint
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

ORIGIN = "https://gateway.example.com"  # the page replaces it by its own origin
VARIABLES = {"token": "POOLGATE_TOKEN"}  # by security scheme; VARIABLE for API keys
VARIABLE = "POOLGATE_KEY"
SDK_METHODS = {  # method names of both OpenAI SDKs, apart from their capitals
    ("post", "/v1/chat/completions"): "chat.completions.create",
    ("post", "/v1/responses"): "responses.create",
    ("post", "/v1/responses/compact"): "responses.compact",
    ("get", "/v1/models"): "models.list",
    ("get", "/v1/models/{model}"): "models.retrieve",
    ("post", "/v1/completions"): "completions.create",
    ("post", "/v1/embeddings"): "embeddings.create",
    ("post", "/v1/moderations"): "moderations.create",
    ("post", "/v1/images/generations"): "images.generate",
    ("post", "/v1/images/edits"): "images.edit",
    ("post", "/v1/audio/transcriptions"): "audio.transcriptions.create",
}
FILES = ("file", "image")  # fields of forms
PATH_EXAMPLES = {"model": "gpt-5.5"}


@dataclass(frozen=True, slots=True)
class CodeSample:
    label: str
    text: str


def samples(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[CodeSample]:
    """Yield the samples of an operation of an OpenAPI document."""
    contents: Mapping[str, Any] = operation.get("requestBody", {}).get("content", {})
    media_type = next(iter(contents), "")
    body = example_of(contents[media_type]) if contents else None
    is_form = media_type == "multipart/form-data"
    schemes = [name for each in operation.get("security", ()) for name in each]
    yield CodeSample("curl", _curl(method, path, body, is_form, schemes))
    if (method, path) in SDK_METHODS and schemes == ["key"]:
        yield CodeSample("Python", _python_sdk(SDK_METHODS[method, path], path, body or {}))
        yield CodeSample("Node", _node_sdk(SDK_METHODS[method, path], path, body or {}))
    elif schemes and not is_form:
        yield CodeSample("Python", _python(method, path, body, schemes))
        yield CodeSample("Node", _node(method, path, body, schemes))


def example_of(content: Mapping[str, Any]) -> Any:
    """Return the example of a body, else one that has its required fields."""
    if "example" in content:
        return content["example"]
    schema = content["schema"]
    return {name: _placeholder(schema["properties"][name]) for name in schema.get("required", ())}


def _placeholder(schema: Mapping[str, Any]) -> Any:
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if schema.get("enum"):
        return schema["enum"][0]
    return {"string": "…", "boolean": True, "array": [], "object": {}}.get(kind, schema.get("minimum", 1))


def _filled(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda name: PATH_EXAMPLES.get(name[1], name[1].upper()), path)


def _variable(schemes: list[str]) -> str:
    return VARIABLES.get(schemes[0], VARIABLE)


def _curl(method: str, path: str, body: Any, is_form: bool, schemes: list[str]) -> str:
    lines = [f"curl -sS {ORIGIN}{_filled(path)}"]
    if method not in ("get", "post"):
        lines[0] = f"curl -sS -X {method.upper()} {ORIGIN}{_filled(path)}"
    if schemes == ["basic"]:
        lines.append(f'-u "key:${VARIABLE}"')
    elif schemes:
        lines.append(f'-H "Authorization: Bearer ${_variable(schemes)}"')
    if is_form:
        for name, value in body.items():
            lines.append(f"-F {name}={'@' if name in FILES else ''}{_quoted(str(value))}")
    elif body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d {_quoted(_json(body))}"]
    elif method == "post":
        lines.append("-X POST")
    return " \\\n  ".join(lines)


def _python_sdk(name: str, path: str, body: Mapping[str, Any]) -> str:
    arguments = [repr(_filled(path).rpartition("/")[2])] if "{" in path else []
    for field, value in body.items():
        shown = f'open("{value}", "rb")' if field in FILES else _python_value(value)
        arguments.append(f"{field}={shown}")
    call = ", ".join(arguments)
    if len(arguments) > 1:
        call = "\n    " + ",\n    ".join(argument.replace("\n", "\n    ") for argument in arguments) + ",\n"
    return (
        "import os\n\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{ORIGIN}/v1", api_key=os.environ["{VARIABLE}"])\n'
        f"print(client.{name}({call}).to_json())"
    )


def _node_sdk(name: str, path: str, body: Mapping[str, Any]) -> str:
    arguments = [f'"{_filled(path).rpartition("/")[2]}"'] if "{" in path else []
    if body:
        shown = _json(body)
        for field in FILES:
            shown = re.sub(rf'"{field}": ("[^"]+")', rf'"{field}": fs.createReadStream(\1)', shown)
        arguments.append(shown)
    imports = 'import OpenAI from "openai";\n' + ('import fs from "fs";\n' if set(FILES) & set(body) else "")
    return (
        f'{imports}\nconst client = new OpenAI({{\n  baseURL: "{ORIGIN}/v1",\n'
        f"  apiKey: process.env.{VARIABLE},\n}});\n"
        f"const result = await client.{name}({', '.join(arguments)});\n"
        "console.log(JSON.stringify(result, null, 2));"
    )


def _python(method: str, path: str, body: Any, schemes: list[str]) -> str:
    variable = _variable(schemes)
    auth = (
        f'auth=("key", os.environ["{variable}"])'
        if schemes == ["basic"]
        else f'headers={{"Authorization": "Bearer " + os.environ["{variable}"]}}'
    )
    arguments = [f'"{ORIGIN}{_filled(path)}"', auth]
    if body is not None:
        arguments.append("json=" + _python_value(body).replace("\n", "\n    "))
    listed = ",\n    ".join(arguments)
    call = f"response = requests.{method}(\n    {listed},\n)"
    return f"import os\n\nimport requests\n\n{call}\nprint(response.text)"


def _node(method: str, path: str, body: Any, schemes: list[str]) -> str:
    token = f"process.env.{_variable(schemes)}"
    value = f'"Basic " + btoa("key:" + {token})' if schemes == ["basic"] else f'"Bearer " + {token}'
    headers = f"Authorization: {value}" + (', "Content-Type": "application/json"' if body is not None else "")
    lines = [f'method: "{method.upper()}",', f"headers: {{ {headers} }},"]
    if body is not None:
        lines.append("body: JSON.stringify(" + _json(body).replace("\n", "\n  ") + "),")
    listed = "\n  ".join(lines)
    return (
        f'const response = await fetch("{ORIGIN}{_filled(path)}", {{\n  {listed}\n}});\n'
        "console.log(await response.text());"
    )


def _python_value(value: Any) -> str:
    return (
        pprint.pformat(value, width=80, sort_dicts=False)
        if isinstance(value, dict | list)
        else _literal(value)
    )


def _literal(value: Any) -> str:
    return orjson.dumps(value).decode() if isinstance(value, str) else repr(value)


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _quoted(text: str) -> str:
    """Return *text* quoted as one shell word."""
    return text if re.fullmatch(r"[\w./-]+", text) else "'" + text.replace("'", "'\\''") + "'"
