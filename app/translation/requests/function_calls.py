"""
Calls of custom tools and of `local_shell` as calls of functions, for chat servers that know only those.

A custom tool's text is the argument `input` of its function; the action of a `local_shell` call is
the arguments of its function.

Source: https://platform.openai.com/docs/api-reference/responses/create (input, local shell call)
"""

from __future__ import annotations

from typing import Any

import orjson

from app.openai_types.chat import FunctionDefinition

INPUT = "input"
INPUT_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        INPUT: {"type": "string", "description": "The complete input of the tool, as plain text."}
    },
    "required": [INPUT],
}
ACTION_FIELDS = ("command", "working_directory", "timeout_ms", "env", "user")
SHELL_FUNCTION: FunctionDefinition = {
    "description": "Runs a command on the user's machine and returns its output.",
    "parameters": {
        "type": "object",
        "properties": {
            "command": {
                "type": "array",
                "items": {"type": "string"},
                "description": "The program and its arguments.",
            },
            "working_directory": {"type": "string"},
            "timeout_ms": {"type": "integer"},
        },
        "required": ["command"],
    },
}
MAX_ESCAPE_CHARS = 12  # longest escape of a character in a JSON string: two halves such as \ud83d\ude00
_STARTS = ('{"input":"', '{"input": "')


def input_arguments(text: str) -> str:
    """Return the arguments of a function call for the *text* of a custom call."""
    return orjson.dumps({INPUT: text}).decode()


def custom_input(arguments: str) -> str:
    """
    Return the text of a custom call from the *arguments* of its function call.

    Arguments in another form are used as the text; arguments that were cut give the text up to the cut.
    """
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return _partial_input(arguments)
    if isinstance(value, str):
        return value
    text = value.get(INPUT) if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments


def _partial_input(arguments: str) -> str:
    start = next((start for start in _STARTS if arguments.startswith(start)), None)
    if start is None:
        return arguments
    rest = arguments[len(start) :]
    for dropped in range(MAX_ESCAPE_CHARS + 1):
        try:
            return str(orjson.loads(f'"{rest[: len(rest) - dropped]}"'))
        except orjson.JSONDecodeError:
            continue
    return arguments


def action_arguments(action: Any) -> str:
    """Return the arguments of a function call for the *action* of a `local_shell` call."""
    given = action if isinstance(action, dict) else {}
    return orjson.dumps({name: given[name] for name in ACTION_FIELDS if given.get(name)}).decode()


def shell_action(arguments: str) -> dict[str, Any] | None:
    """Return the action of a `local_shell` call from its *arguments*, None if they have no command."""
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return None
    command = given.get("command") if isinstance(given, dict) else None
    if isinstance(command, str):
        command = ["bash", "-lc", command]
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        return None
    others = {name: given[name] for name in ACTION_FIELDS[1:] if given.get(name) is not None}
    return {"type": "exec", "env": {}, **others, "command": command}
