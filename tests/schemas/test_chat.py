from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from schemas.chat import CHAT_REQUEST
from schemas.fields import Unread

EXAMPLES = json.loads((Path(__file__).parent / "examples/chat.json").read_text())
MINIMAL = {"model": "gpt-5.2", "messages": [{"role": "user", "content": "hi"}]}
LOADED = {**MINIMAL, "stream": False}
FLAGS = ["parallel_tool_calls", "stream", "logprobs", "store"]
NUMBERS = ["temperature", "top_p", "presence_penalty", "frequency_penalty"]
INTEGERS = ["max_tokens", "max_completion_tokens", "seed", "n"]
UNREAD = {name for name, field in CHAT_REQUEST.fields.items() if isinstance(field, Unread)}
ANYTHING = [
    *["reasoning", "prompt_cache_key", "metadata", "user", "logit_bias", "modalities"],
    *["audio", "prediction", "verbosity"],
    *["conversation", "previous_response_id", "truncation"],
]


@pytest.fixture
def param(refusal):
    return lambda **fields: refusal(CHAT_REQUEST, {**MINIMAL, **fields})[0]


class TestDocumentedBodies:
    @pytest.mark.parametrize("body", EXAMPLES)
    def test_it_loads_as_it_is(self, body):
        before = copy.deepcopy(body)

        assert CHAT_REQUEST.load(body) == {"stream": False, **body}
        assert body == before


class TestRequired:
    @pytest.mark.parametrize("model", ["", 5, True, ["gpt"], {}])
    def test_model(self, param, model):
        assert param(model=model) == "model"

    def test_model_has_one_character_at_least(self):
        assert CHAT_REQUEST.load({**MINIMAL, "model": "x"})["model"] == "x"

    @pytest.mark.parametrize("field", ["model", "messages"])
    def test_absent_or_null(self, refusal, field):
        absent = {name: value for name, value in MINIMAL.items() if name != field}

        for body in (absent, {**MINIMAL, field: None}):
            assert refusal(CHAT_REQUEST, body) == (field, f"{field} is required")

    @pytest.mark.parametrize("messages", [[], {}, "hi", [5], [{}], [{"role": "function", "content": ""}]])
    def test_messages(self, param, messages):
        assert param(messages=messages) == "messages"

    def test_input_does_not_stand_in(self, refusal):
        assert refusal(CHAT_REQUEST, {"model": "gpt", "input": "hi"})[0] == "messages"

    def test_the_first_field_is_reported_first(self, refusal):
        assert refusal(CHAT_REQUEST, {"n": 0, "messages": []})[0] == "model"


class TestOptional:
    @pytest.mark.parametrize(
        ("fields", "values"),
        [
            (FLAGS, [True, False]),
            (NUMBERS, [0, 1, 123, -5, 0.25]),
            (INTEGERS, [1, 123]),
            (["max_tokens", "max_completion_tokens"], [1, 2**40]),
            (["seed"], [0, -1, 2**40]),
            (["stop"], ["", "END", [], ["a", "b", "c", "d", "e"]]),
            (["reasoning_effort"], ["high", "unheard-of"]),
            (["stream_options"], [{}, {"include_usage": True}, {"include_obfuscation": False, "more": 1}]),
            (["tools"], [[], [{"type": "web_search"}]]),
            (["tool_choice"], ["auto", {"type": "function", "function": {"name": "f"}}]),
            (["response_format"], [{"type": "text"}]),
            (["functions"], [[], [{"name": "f", "parameters": {}}]]),
            (["function_call"], ["none", "auto", {"name": "f"}]),
            (["include"], [[], ["x"]]),
            (["text"], [{}, {"verbosity": "low"}, {"format": {"type": "text"}}]),
            (["web_search_options"], [{}, {"search_context_size": "low"}]),
            (ANYTHING, [0, "", "x", [], [1], {}, {"a": None}, True, 1.5]),
        ],
    )
    def test_accepted(self, fields, values):
        for field in fields:
            for value in values:
                assert CHAT_REQUEST.load({**MINIMAL, field: value}) == {**LOADED, field: value}

    @pytest.mark.parametrize(
        ("fields", "values"),
        [
            (FLAGS, [0, 1, "true", [], {}]),
            (NUMBERS, ["0.5", True, [], {}]),
            (INTEGERS, ["1", True, 1.5, [], {}, 1e300]),
            (["n"], [0, -1, 129, 123456]),
            (["stop"], [5, True, {}, ["a", 5], [["a"]], [None]]),
            (["reasoning_effort"], [5, True, [], {}]),
            (["stream_options"], [5, "include_usage", [], True]),
            (["tools"], [5, {}, "web_search", [{"type": "file_search"}]]),
            (["tool_choice"], [5, [], True, "any", {"type": "function"}]),
            (["response_format"], [5, [], {}, "xml", "json_schema"]),
            (["functions"], [True, {}, "f", [1], [{}], [{"name": ""}]]),
            (["function_call"], [True, [], {}, "required", {"name": 1}]),
            (["include"], [True, {}, "x", [1]]),
            (["text", "web_search_options"], [True, [], "low", 1]),
        ],
    )
    def test_refused(self, param, fields, values):
        for field in fields:
            for value in values:
                assert param(**{field: value}) == field

    @pytest.mark.parametrize(
        "field", [*FLAGS, *NUMBERS, *INTEGERS, *ANYTHING, "stop", "stream_options", "tools", "tool_choice"]
    )
    def test_null_is_absence(self, field):
        assert CHAT_REQUEST.load({**MINIMAL, field: None}) == LOADED

    @pytest.mark.parametrize("field", ["include_usage", "include_obfuscation"])
    def test_stream_options(self, param, field):
        assert param(stream_options={field: "yes"}) == f"stream_options.{field}"
        assert CHAT_REQUEST.load({**MINIMAL, "stream_options": {field: None}})["stream_options"] == {}

    def test_one_is_one_however_it_is_written(self):
        assert type(CHAT_REQUEST.load({**MINIMAL, "n": 1.0})["n"]) is int

    def test_a_tool_is_named_with_its_index(self, param):
        assert param(tools=[{"type": "web_search"}, {"type": "function"}]) == "tools[1]"

    def test_the_name_of_a_schema(self, param):
        form = {"type": "json_schema", "json_schema": {"name": "two words", "schema": {}}}

        assert param(response_format=form) == "response_format.json_schema.name"


class TestTogether:
    @pytest.mark.parametrize("logprobs", [{}, {"logprobs": False}, {"logprobs": None}])
    @pytest.mark.parametrize("top_logprobs", [0, 5])
    def test_top_logprobs_needs_logprobs(self, param, logprobs, top_logprobs):
        assert param(top_logprobs=top_logprobs, **logprobs) == "top_logprobs"

    def test_top_logprobs_with_logprobs(self):
        fields = {"logprobs": True, "top_logprobs": 5}

        assert CHAT_REQUEST.load({**MINIMAL, **fields}) == {**LOADED, **fields}

    def test_two_formats(self, param):
        form = {"type": "text"}

        assert param(response_format=form, text={"format": form}) == "response_format"

    @pytest.mark.parametrize("text", [{}, {"format": None}, {"verbosity": "low"}])
    def test_one_format(self, text):
        body = {**MINIMAL, "response_format": {"type": "text"}, "text": text}

        assert CHAT_REQUEST.load(body)["response_format"] == {"type": "text"}

    def test_a_format_of_the_other_protocol(self, param):
        assert param(text={"format": "json_object"}) == "text.format"

    def test_an_orphan_response_of_a_tool(self, param):
        response = {"role": "tool", "tool_call_id": "call_1", "content": "noon"}

        assert param(messages=[response]) == "messages"
        assert param(messages=[response], conversation="conv_1") == "messages"


def nest(wrap, value=1, depth=2000):
    for _ in range(depth):
        value = wrap(value)
    return value


DEEP = [nest(lambda inner: [inner]), nest(lambda inner: {"a": inner})]


OBJECTS = {"tool_choice", "stream_options", "text", "web_search_options"}  # they are read one level deep


class TestDepth:
    @pytest.mark.parametrize("deep", DEEP, ids=["arrays", "objects"])
    def test_unread_fields_pass(self, deep):
        loaded = CHAT_REQUEST.load({**MINIMAL, "metadata": deep, "stream_options": {"more": deep}})

        assert loaded["metadata"] is deep
        assert loaded["stream_options"]["more"] is deep

    @pytest.mark.parametrize("field", sorted({*CHAT_REQUEST.fields} - OBJECTS - UNREAD))
    @pytest.mark.parametrize("deep", DEEP, ids=["arrays", "objects"])
    def test_what_is_read_is_refused(self, refusal, field, deep):
        assert refusal(CHAT_REQUEST, {**MINIMAL, field: deep})[0].split("[")[0] == field

    def test_deep_content_and_deep_schemas(self, param):
        deep = DEEP[1]
        form = {"type": "json_schema", "json_schema": {"name": "n", "schema": deep}}
        tool = {"type": "function", "function": {"name": "f", "parameters": deep}}

        loaded = CHAT_REQUEST.load({**MINIMAL, "response_format": form, "tools": [tool]})

        assert loaded["response_format"]["json_schema"]["schema"] is deep
        assert loaded["tools"][0]["function"]["parameters"] is deep
        for content in (DEEP[0], deep, [deep]):
            assert param(messages=[{"role": "user", "content": content}]) == "messages"

    def test_a_long_list(self):
        messages = MINIMAL["messages"] * 20_000

        assert len(CHAT_REQUEST.load({**MINIMAL, "messages": messages})["messages"]) == 20_000
