"""
Chat -> Responses -> chat preserves the conversation.

What it loses, and `normal` therefore takes away before comparing:
- which of the two system and developer messages were, and how their text was cut; those at
  the start become one;
- names of messages, and empty messages;
- how an assistant's text or refusal, and a tool's output, were cut into parts;
- the detail `original` of an image, which becomes `high`, and empty arguments, which become `{}`;
- a lone text part of a user, which comes back as a string;
- that two messages of an assistant followed each other, the first with its refusal after
  its text and the second with calls only: such calls join the message before them.
"""

from __future__ import annotations

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from app.translation.requests.chat_to_responses import chat_to_responses
from app.translation.requests.responses_input import normalize_input
from app.translation.requests.responses_to_chat import responses_to_chat
from tests.support.examples import examples

TEXT = st.text(min_size=1, max_size=12)
TEXT_PART = st.builds(lambda text: {"type": "text", "text": text}, TEXT)
IMAGE_PART = st.builds(
    lambda detail: {"type": "image_url", "image_url": {"url": "https://x/y.png", **detail}},
    st.sampled_from([{}, {"detail": "low"}, {"detail": "original"}]),
)
FILE_PART = st.builds(
    lambda name: {"type": "file", "file": {"file_data": "data:text/plain;base64,QQ==", "filename": name}},
    TEXT,
)
SYSTEM = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["system", "developer"]),
    TEXT | st.lists(TEXT_PART, max_size=3),
)
USER = st.builds(
    lambda content: {"role": "user", "content": content},
    TEXT | st.lists(TEXT_PART | IMAGE_PART | FILE_PART, min_size=1, max_size=3),
)
CONTENT = st.builds(
    lambda content, refusal: {"role": "assistant", "content": content, **refusal},
    TEXT | st.lists(TEXT_PART, min_size=1, max_size=3) | st.none(),
    st.builds(lambda text: {"refusal": text}, TEXT) | st.just({}),
)


@st.composite
def rounds(draw) -> list[dict]:
    """A message with function and custom calls, and the responses to all calls in any order."""
    kinds = draw(st.lists(st.sampled_from(["function", "custom"]), min_size=1, max_size=3))
    calls = []
    for kind in kinds:
        call = {"id": f"call_{draw(st.integers(0, 10**9))}_{len(calls)}", "type": kind}
        payload = "arguments" if kind == "function" else "input"
        calls.append({**call, kind: {"name": draw(TEXT), payload: draw(st.text(max_size=12))}})
    outputs = st.text(max_size=12) | st.lists(TEXT_PART, max_size=3)
    responses = [{"role": "tool", "tool_call_id": call["id"], "content": draw(outputs)} for call in calls]
    return [{**draw(CONTENT), "tool_calls": calls}, *draw(st.permutations(responses))]


TURNS = st.one_of(
    USER.map(lambda one: [one]), SYSTEM.map(lambda one: [one]), CONTENT.map(lambda one: [one]), rounds()
)
CONVERSATIONS = st.lists(TURNS, max_size=6).map(lambda turns: [message for turn in turns for message in turn])


def texts(content) -> list[str]:
    if content is None:
        return []
    return [content] if isinstance(content, str) else [part["text"] for part in content]


def normal(messages: list[dict]) -> list[dict]:
    """Return *messages* without the differences that the module names."""
    out: list[dict] = []
    for message in messages:
        if message["role"] == "user":
            out.append({"role": "user", "content": normal_content(message["content"])})
        elif message["role"] == "tool":
            out.append({**message, "content": "".join(texts(message["content"]))})
        elif message["role"] == "assistant":
            add_assistant(out, message)
        else:
            add_system(out, "\n".join(filter(None, texts(message["content"]))))
    return out


def add_system(out: list[dict], text: str) -> None:
    if not text:
        return
    if len(out) == 1 and out[0]["role"] == "system":
        text = f"{out.pop()['content']}\n{text}"
    out.append({"role": "system", "content": text})


def normal_content(content):
    if isinstance(content, list):
        content = [normal_part(part) for part in content]
    lone = isinstance(content, list) and len(content) == 1 and content[0]["type"] == "text"
    return content[0]["text"] if lone else content


def normal_part(part: dict) -> dict:
    if part.get("image_url", {}).get("detail") != "original":
        return part
    return {**part, "image_url": {**part["image_url"], "detail": "high"}}


def normal_call(call: dict) -> dict:
    if call["type"] != "function" or call["function"]["arguments"]:
        return call
    return {**call, "function": {**call["function"], "arguments": "{}"}}


def add_assistant(out: list[dict], message: dict) -> None:
    text = "".join(texts(message.get("content"))) or None
    refusal = message.get("refusal") or None
    calls = [normal_call(call) for call in message.get("tool_calls") or []]
    if not text and not refusal:
        if calls and out and out[-1]["role"] == "assistant":
            out[-1].setdefault("tool_calls", []).extend(calls)
            return
        if not calls:
            return
    out.append({"role": "assistant", "content": text})
    out[-1].update({"refusal": refusal} if refusal else {})
    out[-1].update({"tool_calls": list(calls)} if calls else {})


@settings(max_examples=examples(150))
@given(CONVERSATIONS)
def test_messages(messages):
    """Text, calls, answers, refusals, images and files come back, in order."""
    body = {"model": "m", "messages": messages}
    before = copy.deepcopy(body)
    back = responses_to_chat(chat_to_responses(body))

    assert normal(back["messages"]) == normal(messages)
    assert body == before


@settings(max_examples=examples(100))
@given(CONVERSATIONS)
def test_the_form_in_between_is_the_normal_one(messages):
    """A translated chat request equals the same messages sent to the Responses endpoint."""
    translated = chat_to_responses({"model": "m", "messages": messages})

    assert normalize_input({"model": "m", "input": translated["input"]})["input"] == translated["input"]


@settings(max_examples=examples(50))
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.floats(0, 2),
            "top_p": st.floats(0, 1),
            "max_completion_tokens": st.integers(16, 10**6),
            "reasoning_effort": st.sampled_from(["none", "low", "xhigh"]),
            "verbosity": st.sampled_from(["low", "high"]),
            "metadata": st.dictionaries(TEXT, TEXT, max_size=2),
            "service_tier": st.sampled_from(["auto", "flex"]),
            "user": TEXT,
            "response_format": st.sampled_from(
                [{"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}]
            ),
        },
    )
)
def test_settings(fields):
    """Settings that both protocols have are unchanged after the round trip."""
    back = responses_to_chat(chat_to_responses({"model": "m", "messages": [], **fields}))

    assert {name: back.get(name) for name in fields} == fields
