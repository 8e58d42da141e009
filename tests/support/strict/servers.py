"""
Servers that keep to their vendor's rules: they refuse what the real ones do, so that a session with a coding
agent only ends well if every request is translated correctly.

The play is {"play": "strict", "server": name, "steps": [step, …]}; `session` documents the steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.support.strict import chat_only, deepseek, gemini, openai_responses
from tests.support.strict.chat import frame
from tests.support.strict.session import Json, Refused


class Server(NamedTuple):
    check: Callable[[Json, list[Json]], None]  # raises Refused
    response: Callable[[Json, list[Json]], list[Any]]  # frames of a stream


SERVERS = {
    "responses": Server(openai_responses.check, openai_responses.response),
    "chat only": Server(chat_only.check, chat_only.response),
    "gemini": Server(gemini.check, gemini.response),
    "deepseek": Server(deepseek.check, deepseek.response),
}


def strict_play(play: Json, body: Json) -> Json:
    """Return the play that answers *body*, or refuses it."""
    server = SERVERS[play["server"]]
    try:
        server.check(body, play["steps"])
    except Refused as refused:
        return {
            "status": refused.status,
            "headers": {"content-type": refused.content_type},
            "framing": "length",
            "steps": [{"send": json.dumps(refused.body)}],
        }
    frames = server.response(body, play["steps"])
    headers = {"content-type": "text/event-stream"}
    return {"headers": headers, "steps": [{"send": frame(each)} for each in frames]}
