"""
Translated messages have the types of OpenAI's SDK.

Except usage: the SDK's types require details, which are not invented.
"""

from __future__ import annotations

import pytest
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from app.translation.events.chat_to_responses import ChatToResponses
from app.translation.events.responses_to_chat import ResponsesToChat
from tests.app.translation.pairs import names, read, translated

EVENT = TypeAdapter(ResponseStreamEvent)
# The SDK's chunk knows only function calls.
CHUNK_ONLY_HERE = ("custom_tool_call", "custom_tool_call_without_done")


@pytest.mark.parametrize(
    "name", [name for name in names("responses_to_chat", ".responses.sse") if name not in CHUNK_ONLY_HERE]
)
def test_chunks(name):
    stream = read("responses_to_chat", f"{name}.responses.sse")
    for chunk in translated(stream, "whole", ResponsesToChat("chatcmpl-1", 1, None, include_usage=False)):
        ChatCompletionChunk.model_validate(chunk)


@pytest.mark.parametrize("name", names("chat_to_responses", ".chat.sse"))
def test_events(name):
    stream = read("chat_to_responses", f"{name}.chat.sse")
    for event in translated(stream, "whole", ChatToResponses("resp_1", 1, {"model": "m"})):
        response = event.get("response")
        EVENT.validate_python({**event, "response": {**response, "usage": None}} if response else event)
