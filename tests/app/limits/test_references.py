"""Nothing that a request only refers to is bounded by the bytes of the reference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits.bounds import ModelSize, compute_bounds, compute_passthrough_bounds
from app.limits.prices import load_shipped_prices

CONTEXT = 300_000
SIZE = ModelSize(context=CONTEXT, max_output=10)
PRICE = load_shipped_prices().find("gpt-5.2")
URL = "https://example.test/page.png"
USER = {"role": "user", "content": "x"}


def input_bound(endpoint: str, body: dict[str, Any]) -> int | None:
    return compute_bounds(endpoint, body, 200, PRICE, SIZE).upper_bound.get("input_tokens")


def of_message(message: dict[str, Any]) -> int | None:
    return input_bound("chat", {"messages": [USER, message]})


def of_part(part: Any) -> int | None:
    return of_message({"role": "user", "content": [part]})


@pytest.mark.parametrize(
    "part",
    [
        {"text": "x", "image_url": {"url": URL}},
        {"type": "text", "text": "x", "image_url": URL},
        {"type": "text", "text": "x", "file": {"file_id": "file_1"}},
        {"type": None, "image_url": {"url": URL}},
        {"type": ["text"], "text": "x"},
        {"type": "image_url", "image_url": {"url": URL}, "text": "data:" + "x" * 100},
        {"type": "input_audio", "input_audio": {"data": "x"}},
        {"type": "video_url", "video_url": {"url": URL}},
        {"type": "file", "file": {"file_data": "x"}},
        {},
        [{"type": "image_url", "image_url": {"url": URL}}],
    ],
)
def test_parts(part: Any) -> None:
    assert of_part(part) == CONTEXT


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "audio": {"id": "audio_1"}},
        {"role": "assistant", "content": "x", "images": [{"image_url": {"url": URL}}]},
        {"role": "user", "content": "x", "attachments": [URL]},
        {"role": "user", "content": "x", "image": URL},
        {"type": "file", "role": "user", "content": "x"},
        {"type": {}, "role": "user", "content": "x"},
        {"role": "tool", "content": {"type": "text", "text": "x", "content": [URL]}},
    ],
)
def test_messages(message: dict[str, Any]) -> None:
    assert of_message(message) == CONTEXT


@pytest.mark.parametrize(
    "message",
    [
        USER,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c"}],
            "reasoning_content": "x",
            "audio": None,
        },
        {
            "role": "user",
            "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}, "x"],
        },
        {"role": "user", "content": "x", "weight": 1, "seen": True, "images": [], "note": ""},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]},
        {
            "type": "reasoning",
            "id": "r",
            "summary": [{"type": "summary_text", "text": "x"}],
            "encrypted_content": "x",
        },
    ],
)
def test_text_is_bounded_by_its_bytes(message: dict[str, Any]) -> None:
    bound = of_message(message)

    assert bound is not None
    assert bound < 500


@pytest.mark.parametrize("name", ["conversation", "previous_response_id"])
def test_stored_conversations(name: str) -> None:
    assert input_bound("responses", {"input": [USER], name: "x"}) == CONTEXT


@pytest.mark.parametrize("name", ["file_ids", "files", "attachments"])
@pytest.mark.parametrize(("value", "is_bounded"), [([{"file_id": "x"}], True), ([], False)])
def test_stored_files(name: str, value: list[Any], is_bounded: bool) -> None:
    for protocol, turns in (("chat", "messages"), ("responses", "input")):
        assert (input_bound(protocol, {turns: [USER], name: value}) == CONTEXT) is is_bounded


HOSTED: list[Any] = [
    {"type": "web_search"},
    {"web_search": {}, "name": "web_search"},
    {"google_search": {}},
    {"type": "function", "function": {"name": "f"}, "google_search": {}},
    {"type": "namespace", "name": "n", "tools": [{"type": "namespace", "tools": [{"type": "mcp"}]}]},
    {"name": "f", "tools": [{"type": "web_search"}]},
    {"type": ["function"], "name": "f"},
    "web_search",
]


@pytest.mark.parametrize("tool", HOSTED)
@pytest.mark.parametrize("kind", ["additional_tools", "tool_search_output"])
def test_tools_that_the_upstream_runs(tool: Any, kind: str) -> None:
    """It may call them repeatedly, and each time their results are input: no number is a bound."""
    own = {"type": "function", "name": "f"}

    assert input_bound("chat", {"messages": [USER], "tools": [own, tool]}) is None
    assert input_bound("responses", {"input": [USER], "tools": [own, tool]}) is None
    assert input_bound("responses", {"input": [USER, {"type": kind, "tools": [own, tool]}]}) is None


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "f", "parameters": {}}, "cache_control": {}},
        {"name": "f", "parameters": {}, "strict": None},
        {"function": {"name": "f"}},
        {"type": "custom", "name": "c", "format": {"type": "text"}},
        {"type": "local_shell"},
        {"type": "namespace", "name": "n", "description": "x", "tools": [{"type": "function", "name": "f"}]},
    ],
)
def test_tools_that_the_client_runs(tool: dict[str, Any]) -> None:
    assert input_bound("responses", {"input": [USER], "tools": [tool]}) is not None


@pytest.mark.parametrize(
    "field",
    ["prompt", "web_search_options", "search_parameters", "data_sources", "enable_search", "mcp_servers"],
)
def test_fields_that_add_input(field: str) -> None:
    bounds = compute_bounds("chat", {"messages": [USER], field: {"x": 1}}, 200, PRICE, SIZE)

    assert "input_tokens" not in bounds.upper_bound
    assert bounds.referring == field


REPEATING: tuple[dict[str, Any], ...] = (
    {"multi_agent": {"enabled": True}},
    {"context_management": [{"type": "compaction"}]},
    {"reasoning": {"mode": "pro"}},
    {"reasoning": {"mode": {"type": "pro"}}},
    {"model": "openai/gpt-4o:online"},
    {"model": "GPT-4o-Search-Preview-2025-03-11"},
    {"model": "gpt-5-search-api"},
)


@pytest.mark.parametrize("more", REPEATING)
@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_what_calls_the_model_repeatedly(endpoint: str, more: dict[str, Any]) -> None:
    body = {"input": "x", "messages": [], **more}

    assert compute_bounds(endpoint, body, 100, PRICE).referring in more
    assert input_bound(endpoint, body) is None
    passed = compute_passthrough_bounds("completions", {"prompt": "x", **more}, 100, PRICE)
    assert "input_tokens" not in passed.upper_bound
    assert passed.referring in more


@pytest.mark.parametrize("mode", ["standard", "default", "", None])
def test_modes_of_one_call(mode: object) -> None:
    body = {"model": "gpt-4o", "input": "x", "reasoning": {"mode": mode}, "context_management": []}

    assert input_bound("responses", body) is not None


def test_length_in_the_background() -> None:
    """The length that it names is not what such a response may use."""
    body = {"input": "x", "max_output_tokens": 50}

    bounds = [
        compute_bounds("responses", {**body, "background": flag}, 100, PRICE).upper_bound["output_tokens"]
        for flag in (False, True)
    ]

    assert bounds == [50, PRICE.max_output]


@pytest.mark.parametrize(
    ("body", "bound"),
    [
        ({"input": "x"}, 264),
        ({"input": ["x", "y"]}, 264),
        ({"input": [1, 2]}, 264),
        ({"input": [[1, 2], [3]]}, 264),
        ({"input": [{"image": URL}]}, CONTEXT),
        ({"input": ["x", {"type": "image_url", "image_url": {"url": URL}}]}, CONTEXT),
        ({"input": [["x", {"image": URL}]]}, CONTEXT),
        ({"input": {"image": URL}}, CONTEXT),
        ({"prompt": "x", "image": URL}, CONTEXT),
        ({"prompt": "x", "prompt_embeds": "x"}, CONTEXT),
        ({"prompt": "x", "enable_search": True}, None),
    ],
)
def test_bodies_that_pass_through(body: dict[str, Any], bound: int | None) -> None:
    bounds = compute_passthrough_bounds("embeddings", body, 200, PRICE, SIZE)

    assert bounds.upper_bound.get("input_tokens") == bound


NAMES = st.sampled_from(
    ("type", "text", "id", "image_url", "file", "audio", "url", "content", "source", "ref")
)
VALUES = st.recursive(
    st.sampled_from((None, True, 5, "text", "image_url", URL)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def has_reference(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(has_reference, value.values()))
    return any(map(has_reference, value)) if isinstance(value, list) else value == URL


@given(part=st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_part(part: dict[str, Any]) -> None:
    """A part is bounded by its bytes only where nothing in it but a text is a reference."""
    bound = of_part(part)

    plain = {name: value for name, value in part.items() if name not in ("text", "id", "type")}
    if has_reference(plain) and part.get("type") != "image_url":
        assert bound == CONTEXT
