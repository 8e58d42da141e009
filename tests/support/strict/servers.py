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
    answer: Callable[[Json, list[Json]], list[Any]]  # frames of a stream


SERVERS = {
    "responses": Server(openai_responses.check, openai_responses.answer),
    "chat only": Server(chat_only.check, chat_only.answer),
    "gemini": Server(gemini.check, gemini.answer),
    "deepseek": Server(deepseek.check, deepseek.answer),
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
    frames = server.answer(body, play["steps"])
    headers = {"content-type": "text/event-stream"}
    return {"headers": headers, "steps": [{"send": frame(each)} for each in frames]}
