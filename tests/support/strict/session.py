"""
A session with a coding agent, from the side of the server.

A script is a list of steps. A step has calls, a text or both, and what the model thought:

    {"text": "Let me look.", "thought": "Hm", "calls": [{"do": "read", "path": "/tmp/a"}]}

What is called depends on the tools that the agent offers. `{"do": "read", "path"}` is its tool to read, else
its shell; `{"do": "edit", "path", "old", "new"}` is its tool for patches or edits, else its shell.
Which step is next follows from the conversation alone, so that a request may be repeated at any time.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

TITLE = "A title"  # the response to a request without tools: agents have their sessions named


@dataclass(frozen=True)
class Refused(Exception):
    """The server refuses the request; status, body and content type of its response."""

    body: Any
    status: int = 400
    content_type: str = "application/json"


@dataclass(frozen=True)
class Called:
    """One call: *text* is the input of a custom tool, else the arguments as JSON."""

    id: str
    name: str
    text: str
    is_custom: bool = False


@dataclass(frozen=True)
class Turn:
    """The content of one turn of the server."""

    text: str = ""
    thought: str = ""
    calls: tuple[Called, ...] = ()


def position(steps: list[Json], outputs: int, texts: Iterable[str]) -> int:
    """Return the number of the next step, after so many results of calls, and with *texts* of the model."""
    sent = list(texts)
    for number, step in enumerate(steps):
        calls = len(step.get("calls", ()))
        if calls:
            if outputs < calls:
                return number
            outputs -= calls
        elif not any(step["text"] in text for text in sent):
            return number
    raise ValueError("the session has no more steps")


def turn(step: Json, number: int, tools: Json, call_id: str) -> Turn:
    """Return *step* with the tools of the agent: properties by name, None for a custom tool."""
    return Turn(
        step.get("text", ""),
        step.get("thought", ""),
        tuple(
            _called(call, tools, call_id.format(step=number, at=at))
            for at, call in enumerate(step.get("calls", ()))
        ),
    )


def _called(call: Json, tools: Json, call_id: str) -> Called:
    path = call["path"]
    if call["do"] == "read":
        return (
            _function(call_id, "read", {"filePath": path})
            if "read" in tools
            else _shell(tools, call_id, f"cat {shlex.quote(path)}")
        )
    if "apply_patch" in tools:
        patch = f"*** Begin Patch\n*** Update File: {path}\n@@\n-{call['old']}\n+{call['new']}\n*** End Patch"
        properties = tools["apply_patch"]
        if properties is None:
            return Called(call_id, "apply_patch", patch, is_custom=True)
        (argument,) = {"input", "patchText"} & properties.keys()
        return _function(call_id, "apply_patch", {argument: patch})
    if "edit" in tools:
        arguments = {"filePath": path, "oldString": call["old"], "newString": call["new"]}
        return _function(call_id, "edit", arguments)
    return _shell(tools, call_id, f"sed -i s/{call['old']}/{call['new']}/ {shlex.quote(path)}")


def _shell(tools: Json, call_id: str, command: str) -> Called:
    for name, properties in tools.items():
        for argument in {"cmd", "command"} & (properties or {}).keys():
            words: Any = command if properties[argument]["type"] == "string" else ["bash", "-lc", command]
            return _function(call_id, name, {argument: words})
    raise ValueError(f"no shell among {list(tools)}")


def _function(call_id: str, name: str, arguments: Json) -> Called:
    return Called(call_id, name, json.dumps(arguments))
