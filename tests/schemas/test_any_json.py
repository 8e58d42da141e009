"""Whatever JSON is sent, it is loaded or refused by name; nothing else ever happens."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from app.operations.account_rules import KIND_RULES
from schemas.accounts import AccountInput
from schemas.api_keys import KeyInput
from schemas.chat import CHAT_REQUEST
from schemas.responses import RESPONSES_REQUEST
from schemas.validation_errors import first_error
from tests.support.examples import examples

WORDS = (  # those the schemas look for, so that chance finds its way inside
    "type role content text function name id tool_calls tool_call_id file file_id image_url url input_file "
    "input_text input_audio refusal user system assistant tool custom input output arguments json_schema "
    "schema strict format effort include_usage web_search file_search auto compaction_trigger"
)
words = st.sampled_from(WORDS.split(" ")) | st.text(max_size=3)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=5),
    max_leaves=12,
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool"])},
        optional={"content": values, "tool_call_id": scalars, "tool_calls": values, "refusal": scalars},
    ),
    max_size=4,
)

ACCOUNT, KEY = AccountInput(KIND_RULES), KeyInput()
MINIMAL: dict[Schema, dict[str, Any]] = {
    CHAT_REQUEST: {"model": "gpt", "messages": [{"role": "user", "content": "hi"}]},
    RESPONSES_REQUEST: {"model": "gpt", "input": "hi"},
    ACCOUNT: {"name": "a", "kind": "openai"},
    KEY: {"name": "a"},
}


def fields_of(schema: Schema) -> set[str]:
    return {field.data_key or name for name, field in schema.fields.items()}


def response(schema: Schema, body: Any) -> dict[str, Any] | None:
    """Load *body*, or None when it is refused by a field's name; raise whatever else happens."""
    before = copy.deepcopy(body)
    try:
        loaded = schema.load(body)
    except ValidationError as error:
        param, message = first_error(error)
        assert param is None or param.replace("[", ".").split(".")[0] in fields_of(schema)
        assert param is not None or not isinstance(body, dict)
        assert message
        loaded = None
    assert body == before
    return loaded


@pytest.mark.parametrize(
    ("schema", "field"),
    [(schema, field) for schema in MINIMAL for field in sorted(fields_of(schema))],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
@given(value=values)
@settings(max_examples=examples(25))
def test_one_field(schema, field, value):
    response(schema, {**MINIMAL[schema], field: value})


@pytest.mark.parametrize("schema", [CHAT_REQUEST, RESPONSES_REQUEST])
@given(extra=st.dictionaries(words, values, max_size=4))
@settings(max_examples=examples(50))
def test_unknown_fields_pass(schema, extra):
    """Everything that loads can be encoded as JSON, and none of its fields is null."""
    extra = {name: value for name, value in extra.items() if name not in fields_of(schema)}

    loaded = response(schema, {**MINIMAL[schema], **extra})

    stored = {name: value for name, value in extra.items() if value is not None}
    assert loaded == {**MINIMAL[schema], "stream": False, **stored}
    assert orjson.loads(orjson.dumps(loaded)) is not None


@pytest.mark.parametrize("schema", [CHAT_REQUEST, RESPONSES_REQUEST])
@given(messages=messages)
@settings(max_examples=examples(150))
def test_messages(schema, messages):
    response(schema, {"model": "gpt", "messages": messages})


@given(body=values)
@settings(max_examples=examples(50))
def test_complete_bodies(body):
    for schema in (CHAT_REQUEST, RESPONSES_REQUEST):
        response(schema, body)
