"""No upstream can read a field that the gateway checks under another name, however it matches names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits import disguised_fields
from app.limits.disguised_fields import NAMES_PER_TURN, is_disguised, without_disguised

CHECKED = {
    "chat": ("model", "max_completion_tokens", "max_tokens", "n", "service_tier", "stream_options"),
    "responses": ("model", "max_output_tokens", "previous_response_id", "conversation", "prompt"),
    "completions": ("model", "max_tokens", "n", "best_of"),
    "embeddings": ("model", "input", "service_tier"),
    "images/edits": ("model", "n", "prompt", "image"),
}
PROTOCOLS = st.sampled_from(sorted(CHECKED))
# How servers read names, from a strict one to the most lenient.
READERS: tuple[Callable[[str], str], ...] = (
    str,
    str.lower,
    str.casefold,
    lambda name: re.sub(r"(?<=[a-z])[A-Z]", lambda found: "_" + found[0], name).lower(),
    lambda name: name.replace("-", "_").lower(),
    lambda name: name.replace("_", "").lower(),
)


@st.composite
def spellings(draw: st.DrawFn, name: str) -> str:
    """*name* in another letter case, with other characters that fold to its own, or joined otherwise."""
    text = draw(st.sampled_from((name, name.replace("_", ""), name.replace("_", "-"))))
    text = re.sub(r"[-_]([a-z])", lambda found: found[1].upper(), text) if draw(st.booleans()) else text
    letters = [draw(st.sampled_from(_variants(letter))) for letter in text]
    return "".join(letters)


def _variants(letter: str) -> tuple[str, ...]:
    return (letter, letter.upper(), *{"s": ("\u017f",), "k": ("\u212a",)}.get(letter, ()))


@given(data=st.data(), client_protocol=PROTOCOLS)
def test_every_reader_sees_what_was_checked(data: st.DataObject, client_protocol: str) -> None:
    name = data.draw(st.sampled_from(CHECKED[client_protocol]))
    other = data.draw(spellings(name))
    body = {name: "checked", other: "other"} if data.draw(st.booleans()) else {other: "other"}

    sent, _ = without_disguised(client_protocol, body)

    expected = [body[name]] if name in body else []
    for read in READERS:
        assert [value for sent_name, value in sent.items() if read(sent_name) == read(name)] == expected


@pytest.mark.parametrize(
    "name", ["models", "Models", "plugins", "route", "n_predict", "maxNewTokens", "api_base"]
)
@pytest.mark.parametrize("client_protocol", CHECKED)
def test_other_models_and_lengths(client_protocol: str, name: str) -> None:
    sent, dropped = without_disguised(client_protocol, {"model": "m", name: ["x"]})

    assert (sent, dropped) == ({"model": "m"}, (name,))


@pytest.mark.parametrize(
    ("client_protocol", "name"),
    [("chat", "max_output_tokens"), ("responses", "max_tokens"), ("completions", "max_output_tokens")],
)
def test_length_of_another_endpoint(client_protocol: str, name: str) -> None:
    assert without_disguised(client_protocol, {"model": "m", name: 5}) == ({"model": "m"}, (name,))


@pytest.mark.parametrize("name", ["Include_Usage", "includeUsage", "INCLUDE_OBFUSCATION"])
@pytest.mark.parametrize("client_protocol", CHECKED)
def test_options_of_a_stream(client_protocol: str, name: str) -> None:
    options = {"include_usage": True, name: False, "other": 1}

    sent, dropped = without_disguised(client_protocol, {"model": "m", "stream_options": options})

    assert sent == {"model": "m", "stream_options": {"include_usage": True, "other": 1}}
    assert dropped == (f"stream_options.{name}",)


@pytest.mark.parametrize(
    ("body", "sent", "dropped"),
    [
        (
            {"options": {"num_predict": 9, "num_ctx": 8}},
            {"options": {"num_ctx": 8}},
            ("options.num_predict",),
        ),
        (
            {"generationConfig": {"maxOutputTokens": 9}},
            {"generationConfig": {}},
            ("generationConfig.maxOutputTokens",),
        ),
        ({"extra_body": [{"a": {"Model": "x"}}]}, {"extra_body": [{"a": {}}]}, ("extra_body.a.Model",)),
        (
            {"text": {"max_tokens": 9, "verbosity": "low"}},
            {"text": {"verbosity": "low"}},
            ("text.max_tokens",),
        ),
        (
            {"reasoning": {"n_predict": 9, "max_tokens": 8}},
            {"reasoning": {"max_tokens": 8}},
            ("reasoning.n_predict",),
        ),
    ],
)
def test_inside_objects(body: dict[str, Any], sent: dict[str, Any], dropped: tuple[str, ...]) -> None:
    assert without_disguised("responses", body) == (sent, dropped)


@pytest.mark.parametrize(
    "body",
    [
        {
            "model": "m",
            "messages": [],
            "max_tokens": 5,
            "stream": True,
            "stream_options": {"include_usage": True},
        },
        {
            "model": "m",
            "tools": [{"function": {"parameters": {"properties": {"model": {}, "max_tokens": {}}}}}],
        },
        {"response_format": {"json_schema": {"model": {}}}, "metadata": {"model": "x"}},
        {"text": {"format": {"schema": {"properties": {"model": {"n": 1}}}}}},
        {"reasoning": {"max_tokens": 5, "effort": "low"}, "reasoningEffort": "low", "promptCacheKey": "k"},
        {"provider": {"order": ["a"]}, "top_k": 5, "chat_template_kwargs": {"enable_thinking": False}},
    ],
)
def test_ordinary_fields_stay(body: dict[str, Any]) -> None:
    """The schemas of tools and answers have names of the caller's own."""
    sent, dropped = without_disguised("chat", body)

    assert sent is body
    assert dropped == ()


def test_names_that_fit_no_header_are_dropped_all_the_same() -> None:
    assert without_disguised("chat", {"max_to\u212aens": 5, "n p": 1}) == ({"n p": 1}, ())


def test_longest_name() -> None:
    assert is_disguised("chat", "MODEL" + "_" * 59)
    assert not is_disguised("chat", "MODEL" + "_" * 60)


def test_body_is_not_changed() -> None:
    body = {"model": "m", "options": {"num_predict": 5}}

    without_disguised("chat", body)

    assert body == {"model": "m", "options": {"num_predict": 5}}


@pytest.mark.parametrize(
    "body",
    [
        {f"k{number}": 1 for number in range(20_000)},
        {"unknown": {f"k{number}": 1 for number in range(20_000)}},
        {"unknown": [{"k": 1, "m": 2, "model": 3}] * 7000},
    ],
)
def test_other_greenlets_run_meanwhile(body: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of as many names as are accepted takes longer than a stream may pause."""
    turns: list[None] = []
    monkeypatch.setattr(disguised_fields, "end_turn", lambda: turns.append(None))

    without_disguised("chat", body)

    assert len(turns) >= 20_000 // NAMES_PER_TURN
