"""What of a request did not reach the upstream, and is not named as ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

# Names of the other protocol, by the name of a field.
TWINS = {
    "input": "messages",
    "instructions": "messages",
    "max_output_tokens": "max_tokens",
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "reasoning.effort": "reasoning_effort",
    "reasoning_effort": "reasoning.effort",
    "text.verbosity": "verbosity",
    "verbosity": "text.verbosity",
}
# Fields that say how to answer and not what, or that have their own form in each protocol.
EXEMPT = ("stream", "stream_options", "include", "store", "parallel_tool_calls", "tool_choice")
KEYS_OF_FORM = (
    "id",
    "type",
    "role",
    "call_id",
    "tool_call_id",
    "status",
    "encrypted_content",
    "object",
    "phase",
)
CLIENT_TOOLS = ("function", "custom")


def lost(sent: Json, seen: Json, named: list[str]) -> list[str]:
    """Return the paths of what *sent* has and *seen* lacks, without those that *named* covers."""
    arrived = "\n".join([*(text for _, text in _texts(seen, "")), *map(_written, seen.get("tools", ()))])
    missing = [path for path in _fields(sent) if not (_has(seen, path) or _has(seen, TWINS.get(path, path)))]
    for name in ("messages", "input", "instructions"):
        missing += [path for path, text in _texts(sent.get(name), name) if text not in arrived]
    missing += [path for path, text in _tools(sent) if text not in arrived]
    return [path for path in missing if not any(_covers(name, path) for name in named)]


def _fields(sent: Json) -> Iterator[str]:
    for name, value in sent.items():
        if name in EXEMPT or value is None or value in ([], {}):
            continue
        if name in ("reasoning", "text"):
            yield from (f"{name}.{inner}" for inner, given in value.items() if given is not None)
        else:
            yield name


def _has(body: Any, path: str) -> bool:
    for name in path.split("."):
        if not isinstance(body, dict) or name not in body:
            return False
        body = body[name]
    return True


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield every text with its path; texts in JSON that is a text as well: agents may write it anew."""
    if isinstance(value, str):
        inner = _parsed(value)
        if inner is None:
            yield path, value
        else:
            yield from _texts(inner, path)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, path)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in KEYS_OF_FORM:
                yield from _texts(inner, f"{path}.{name}")


def _tools(sent: Json) -> Iterator[tuple[str, str]]:
    """Yield the texts of tools; of one that the upstream runs, all of it. Their paths have its type."""
    for tool in sent.get("tools", ()):
        if tool["type"] in CLIENT_TOOLS:
            yield from _texts(tool, "tools")
        elif tool["type"] == "namespace":
            yield from _texts(tool["tools"], "tools")
            yield "tools.namespace", tool["description"]
        else:
            yield f"tools.{tool['type']}", _written(tool)


def _parsed(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, (dict, list)) else None


def _written(tool: Json) -> str:
    return json.dumps(tool, sort_keys=True)


def _covers(name: str, path: str) -> bool:
    return path == name or path.startswith(f"{name}.")
