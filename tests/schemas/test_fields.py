from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, missing
from marshmallow.fields import Field, Nested
from marshmallow.validate import Length

from schemas.fields import (
    Flag,
    Integer,
    Number,
    Object,
    ShortText,
    Text,
    TextOrTexts,
    Texts,
    WideSchema,
    WireSchema,
)


class Body(WireSchema):
    text = Text()
    flag = Flag()
    number = Number()
    integer = Integer()
    few = Integer(1, 3)
    thing = Object()
    texts = Texts()
    colours = Texts(("red", "blue"))
    one_or_more = TextOrTexts()
    given = Text(required=True)


BODY = Body()


def load(**fields):
    return BODY.load({"given": "", **fields})


class TestTypes:
    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("text", ["", "a", "1"]),
            ("flag", [True, False]),
            ("number", [0, -1, 0.5, 1e300]),
            ("integer", [0, -1, 2**63, 2**64 - 1, -(2**63)]),
            ("few", [1, 3]),
            ("thing", [{}, {"a": None}]),
            ("texts", [[], ["", "a"]]),
            ("colours", [[], ["blue", "red", "red"]]),
            ("one_or_more", ["", "a", [], ["a"]]),
        ],
    )
    def test_the_right_type(self, field, values):
        for value in values:
            assert load(**{field: value})[field] is value

    @pytest.mark.parametrize(
        ("field", "values", "message"),
        [
            ("text", [1, True, [], {}, ["a"]], "must be a string"),
            ("flag", [0, 1, "true", "", []], "must be true or false"),
            ("number", [True, False, "0.5", [], {}], "must be a number"),
            ("integer", [True, "1", 1.5, [], float("inf"), float("nan")], "must be an integer"),
            ("integer", [2.0**64, -(2.0**64), 1e300, 2**64], "must be an integer"),
            ("few", [0, 4, True, "1", 2.5, 123], "must be an integer from 1 to 3"),
            ("thing", ["", [], 1, True], "must be an object"),
            ("texts", ["a", {}, 1], "must be an array of strings"),
            ("one_or_more", [{}, 1, True], "must be a string or an array of strings"),
        ],
    )
    def test_anything_else(self, refusal, field, values, message):
        for value in values:
            assert refusal(BODY, {"given": "", field: value}) == (field, f"{field} {message}")

    @pytest.mark.parametrize("field", ["texts", "colours", "one_or_more"])
    @pytest.mark.parametrize("element", [1, None, True, [], {}])
    def test_an_element_of_another_type(self, refusal, field, element):
        found = refusal(BODY, {"given": "", field: ["red", element]})

        assert found == (field, f"{field}[1] must be a string")

    def test_an_element_that_is_no_choice(self, refusal):
        found = refusal(BODY, {"given": "", "colours": ["green"]})

        assert found == ("colours", "colours[0] must be one of red, blue")

    @pytest.mark.parametrize("field", ["integer", "few"])
    def test_an_integer_written_as_a_float(self, field):
        """JSON has one kind of number; what leaves here is an int."""
        value = load(**{field: 2.0})[field]

        assert value == 2
        assert type(value) is int

    def test_null_is_absence(self, refusal):
        nothing = dict.fromkeys(BODY.fields)

        assert load(**{**nothing, "given": "", "unknown": None}) == {"given": ""}
        assert refusal(BODY, nothing) == ("given", "given is required")


class TestUnknownFields:
    def test_they_are_carried(self):
        value = {"deep": [1, {"a": None}]}

        assert load(other=value, **{"a.b": 1}) == {"given": "", "other": value, "a.b": 1}
        assert load(other=value)["other"] is value


class TestNoObject:
    @pytest.mark.parametrize("body", [None, [], [{}], "text", 5, True, 1.5])
    def test_it_is_refused(self, refusal, body):
        assert refusal(BODY, body) == (None, "The request body must be an object")


class Plain(WireSchema):
    name = Text(required=True)
    count = Integer(1, 3)
    flag = Flag(load_default=False)
    inner = Nested(Body)


class Wide(WideSchema, Plain):
    pass


VALUES = st.sampled_from([None, "", "a", 0, 2, True, {}, {"given": "", "few": 2}, {"few": 9}])
BODIES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("name", "count", "flag", "inner", "other"), VALUES)
) | st.fixed_dictionaries(
    {"name": st.just("a")}, optional={"inner": VALUES, "count": st.just(2), "flag": st.just(True)}
)


class TestWide:
    @given(BODIES | VALUES)
    def test_it_takes_and_refuses_what_any_schema_does(self, body):
        assert outcome(Wide(), body) == outcome(Plain(), body)


def outcome(schema, body):
    try:
        return schema.load(body)
    except ValidationError as error:
        return list(error.messages.items())  # in the same order


def deserialized(function, *values):
    try:
        return function(*values)
    except ValidationError as error:
        return error.messages


@pytest.mark.parametrize(
    "field",
    [
        *(
            Text(),
            Text(required=True),
            Text(allow_none=True),
            Text(load_default="b"),
            Text(load_default=list),
        ),
        *(Text(validate=Length(max=1)), Text(pre_load=str), Text(post_load=len), ShortText(2, 1), Flag()),
        *(Number(), Integer(1, 3), Object(), Texts(("a", "b")), TextOrTexts()),
    ],
    ids=repr,
)
@given(
    st.recursive(
        st.sampled_from([missing, None, True, 0, 2, 2.0, 0.5, "", "a", "abc", "\ud800"]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner),
    )
)
def test_as_marshmallow_deserializes(field, value):
    """The shorter way of fields without validators gives the same values and errors."""
    ways = [
        lambda each: field.deserialize(each, "a", {"a": each}),
        lambda each: Field.deserialize(field, each, "a", {"a": each}),
    ]

    short, full = (deserialized(way, value) for way in ways)

    assert (short, type(short)) == (full, type(full))
