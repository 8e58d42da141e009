"""Conversations of text are accepted at once, exactly where each message alone would be."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas import input_items, messages
from schemas.fields import WireSchema
from schemas.plain_messages import roles_of_plain

ROLES = st.sampled_from(
    ["user", "assistant", "system", "developer", "tool", "function", "User", "", None, 1, True, ["user"], {}]
)
CONTENTS = st.sampled_from(
    ["hi", "", "\ud800", None, 0, ["hi"], [{"type": "text"}], {"type": "text", "text": "hi"}]
)
OTHERS = st.dictionaries(
    st.sampled_from(["role", "content", "name", "type", "tool_call_id", "tool_calls"]),
    ROLES | CONTENTS,
    max_size=4,
)
PLAIN = st.fixed_dictionaries({"role": ROLES, "content": CONTENTS | st.just("hi")})
ITEMS = st.lists(
    PLAIN | PLAIN | OTHERS | st.sampled_from(["hi", None, 5, [], ["role", "content"]]), max_size=4
)


class Requests(WireSchema):
    chat = messages.Messages()
    legacy_chat = messages.Messages(functions=True)
    responses = input_items.Input()


REQUESTS = Requests()


def load(field, items):
    """Return what *items* become in *field*, or why they are refused."""
    try:
        return REQUESTS.load({field: items})
    except ValidationError as error:
        return error.messages


@pytest.mark.parametrize("field", ["chat", "legacy_chat", "responses"])
@settings(max_examples=400)
@given(items=ITEMS)
def test_same_as_one_by_one(field, items):
    before = copy.deepcopy(items)
    together = load(field, items)
    with pytest.MonkeyPatch.context() as patch:
        for module in (messages, input_items):
            patch.setattr(module, "roles_of_plain", lambda items: None)

        assert load(field, items) == together
    assert items == before


@pytest.mark.parametrize(
    ("items", "roles"),
    [
        ([{"role": "user", "content": "a"}, {"content": "", "role": "system"}], {"user", "system"}),
        ([{"role": 5, "content": "a"}], {5}),
        ([], None),
        ([{"role": "user", "content": "a"}, "b"], None),
        ([{"role": "user", "content": "a", "name": "b"}], None),
        ([{"role": "user", "content": ["a"]}], None),
        ([{"role": ["user"], "content": "a"}], None),
        ([{"type": "user", "content": "a"}], None),
        ([{"role": "user", "text": "a"}], None),
    ],
)
def test_roles(items, roles):
    assert roles_of_plain(items) == roles
