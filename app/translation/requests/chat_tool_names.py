"""
Names of a Responses request's tools in chat, and the tools that the names of calls mean.

Chat has no namespaces, custom tools are functions for most of its servers, and a name has at most
64 characters. A tool in a namespace becomes `<namespace>__<name>`; a name that is too long, or that
another tool has, ends in a digest instead. The same tools have the same names in each request.

Source: https://platform.openai.com/docs/api-reference/chat/create (tools, function name)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from app.openai_types.responses import ResponsesTool
from app.translation.requests.parts import as_list

MAX_NAME_CHARS = 64
MAX_ID_CHARS = 64  # longest call id that the Responses API accepts
DIGEST_BYTES = 5

FUNCTION, CUSTOM, LOCAL_SHELL = "function", "custom", "local_shell"
CLIENT_TOOLS = (FUNCTION, CUSTOM, LOCAL_SHELL)  # the client runs them; upstreams run all others
CALLED_KINDS = {
    "custom_tool_call": CUSTOM,
    "local_shell_call": LOCAL_SHELL,
}  # kind of call by type of item; others are functions


class ToolRef(NamedTuple):
    """A tool as the client knows it. `namespace` may be empty."""

    kind: str
    namespace: str
    name: str


class ChatToolNames:
    """The chat names of *tools*, which are in Responses form."""

    def __init__(self, tools: list[Any]) -> None:
        self._names: dict[ToolRef, str] = {}
        self._refs: dict[str, ToolRef] = {}
        refs = [ref_of(tool, namespace) for tool, namespace in walk(tools) if is_client_tool(tool)]
        for ref in sorted(refs, key=lambda ref: bool(ref.namespace)):  # plain names first: they are exact
            self._add(ref)

    def _add(self, ref: ToolRef) -> None:
        if ref in self._names:
            return
        name = qualified(ref.namespace, ref.name)
        if len(name) > MAX_NAME_CHARS or name in self._refs:
            name = _with_digest(name, "\0".join(ref), MAX_NAME_CHARS)
        self._names[ref] = name
        self._refs[name] = ref

    def name(self, ref: ToolRef) -> str:
        """Return the chat name of *ref*, which need not be among the tools of this request."""
        known = self._names.get(ref)
        if known is not None:
            return known
        name = qualified(ref.namespace, ref.name)
        return name if len(name) <= MAX_NAME_CHARS else _with_digest(name, "\0".join(ref), MAX_NAME_CHARS)

    def ref(self, name: str) -> ToolRef:
        """Return the tool that a call of *name* refers to; a function of that name if no tool has it."""
        return self._refs.get(name) or ToolRef(FUNCTION, "", name)


def walk(tools: Any) -> Iterator[tuple[ResponsesTool, str]]:
    """Yield (tool, its namespace or "") for every tool that is an object."""
    tool: ResponsesTool
    for tool in as_list(tools):
        if not isinstance(tool, dict):
            continue
        if tool.get("type") == "namespace":
            yield from ((inner, _text(tool.get("name"))) for inner, _ in walk(tool.get("tools")))
        else:
            yield tool, ""


def is_client_tool(tool: Mapping[str, Any]) -> bool:
    """Return whether the client runs *tool*, not the upstream."""
    return tool.get("type", FUNCTION) in CLIENT_TOOLS


def ref_of(tool: ResponsesTool, namespace: str) -> ToolRef:
    """Return the reference to *tool*, which the client runs."""
    kind = tool.get("type", FUNCTION)
    nested = tool.get(kind)
    named = nested if isinstance(nested, dict) else tool
    return ToolRef(kind, namespace, LOCAL_SHELL if kind == LOCAL_SHELL else _text(named.get("name")))


def qualified(namespace: Any, name: str) -> str:
    """Return the name of a tool, prefixed with its namespace if it has one."""
    return f"{namespace}__{name}" if namespace else name


def short_id(call_id: str) -> str:
    """Return *call_id*, or a shorter one if it is too long; the same in each request."""
    return call_id if len(call_id) <= MAX_ID_CHARS else _with_digest(call_id, call_id, MAX_ID_CHARS)


def _with_digest(text: str, identity: str, max_chars: int) -> str:
    digest = hashlib.blake2b(identity.encode(errors="replace"), digest_size=DIGEST_BYTES).hexdigest()
    return f"{text[: max_chars - len(digest) - 1]}_{digest}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
