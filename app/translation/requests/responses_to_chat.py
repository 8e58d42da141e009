"""
Translate a Responses request to a chat request.

Lost in translation, since chat cannot express it, and named by `lost_details`:
- tools that the upstream runs, and their traces; `phase`, annotations;
- reasoning that only another account can read.

Lost without effect on the response: item ids and status, the boundaries of text parts in an
assistant's message.

Source: https://platform.openai.com/docs/guides/migrate-to-responses
"""

from __future__ import annotations

from typing import Any, cast

from app.openai_types.chat import ChatMessage, ChatRequest, ChatTool
from app.translation.requests.chat_tool_names import ChatToolNames
from app.translation.requests.input_items import added_tools, input_items
from app.translation.requests.input_to_messages import messages_from_input
from app.translation.requests.reasoning_and_format import SHARED_FIELDS, response_format, without_nulls
from app.translation.requests.tools import nested_choice, nested_tools

Body = dict[str, Any]


def responses_to_chat(
    body: Body, *, takes_custom: bool = True, length_field: str = "max_completion_tokens"
) -> Body:
    """
    Return the chat request equivalent to the Responses request *body*, streamed, with usage.

    Custom tools become functions unless *takes_custom*; *length_field* is the server's name for the
    maximum output. Raises InvalidRequest for what chat cannot express.
    """
    body = without_nulls(body)
    items = input_items(body["input"])
    tools = [*body.get("tools", ()), *added_tools(items)]
    names = ChatToolNames(tools)
    messages = messages_from_input(items, names, takes_custom=takes_custom)
    out = {"model": body["model"], "messages": _with_instructions(messages, body.get("instructions"))}
    out.update((name, body[name]) for name in SHARED_FIELDS if name in body)
    if nested := nested_tools(tools, names, takes_custom=takes_custom):
        out.update(_tool_fields(body, nested, names, takes_custom=takes_custom))
    out.update(_response_fields(body))
    if "max_output_tokens" in body:
        out[length_field] = body["max_output_tokens"]
    stream_options = {"include_usage": True}
    if "include_obfuscation" in body.get("stream_options", {}):
        stream_options["include_obfuscation"] = body["stream_options"]["include_obfuscation"]
    return {**out, "stream": True, "stream_options": stream_options}


def _with_instructions(messages: list[ChatMessage], instructions: str | None) -> list[ChatMessage]:
    """
    Return *messages* with *instructions* and the system messages at the start as one.

    The templates of many models accept only one system message, at the start. Its role is `system`, not
    `developer`, because every server knows that role.
    """
    count = next((n for n, message in enumerate(messages) if message["role"] != "system"), len(messages))
    leading = [instructions, *(message["content"] for message in messages[:count])]
    texts = [text for text in leading if isinstance(text, str) and text]
    if not texts:
        return messages[count:]
    return [{"role": "system", "content": "\n".join(texts)}, *messages[count:]]


def _tool_fields(
    body: Body, tools: list[ChatTool], names: ChatToolNames, *, takes_custom: bool
) -> ChatRequest:
    """Return the tool fields; chat refuses a `tool_choice` without tools."""
    out: ChatRequest = {"tools": tools}
    if "tool_choice" in body:
        out["tool_choice"] = nested_choice(body["tool_choice"], names, takes_custom=takes_custom)
    if "parallel_tool_calls" in body:
        out["parallel_tool_calls"] = body["parallel_tool_calls"]
    return out


def _response_fields(body: Body) -> ChatRequest:
    text, reasoning = body.get("text", {}), body.get("reasoning", {})
    out = {
        "response_format": response_format(text["format"]) if text.get("format") else None,
        "verbosity": text.get("verbosity"),
        "reasoning_effort": reasoning.get("effort"),
    }
    if body.get("top_logprobs"):
        out.update(logprobs=True, top_logprobs=body["top_logprobs"])
    return cast(ChatRequest, without_nulls(out))
