from __future__ import annotations

import pytest

from schemas.fields import WireSchema
from schemas.formats import ResponseFormat, TextFormat


class Chat(WireSchema):
    response_format = ResponseFormat()


class Text(WireSchema):
    format = TextFormat()


CHAT, TEXT = Chat(), Text()

PERSON = {"name": "person", "schema": {"type": "object"}, "strict": True, "description": "who"}
TYPES = "must have the type text or json_object or json_schema"


def nested(definition):
    return {"response_format": {"type": "json_schema", "json_schema": definition}}


def flat(definition):
    return {"format": {"type": "json_schema", **definition}}


class TestPlain:
    @pytest.mark.parametrize("kind", ["text", "json_object"])
    def test_a_type(self, kind):
        assert CHAT.load({"response_format": {"type": kind}}) == {"response_format": {"type": kind}}
        assert TEXT.load({"format": {"type": kind}}) == {"format": {"type": kind}}

    @pytest.mark.parametrize("kind", ["text", "json_object"])
    def test_a_bare_type(self, refusal, kind):
        """Chat clients send it so; it leaves here in the one shape upstreams know."""
        assert CHAT.load({"response_format": kind}) == {"response_format": {"type": kind}}
        assert refusal(TEXT, {"format": kind}) == ("format", "format must be an object")

    @pytest.mark.parametrize("form", [{}, {"type": "xml"}, {"type": None}, {"type": 5}, {"type": ["text"]}])
    def test_another_type(self, refusal, form):
        assert refusal(CHAT, {"response_format": form}) == ("response_format", f"response_format {TYPES}")
        assert refusal(TEXT, {"format": form}) == ("format", f"format {TYPES}")

    @pytest.mark.parametrize("form", [5, True, [], [{"type": "text"}]])
    def test_no_object(self, refusal, form):
        assert refusal(CHAT, {"response_format": form}) == (
            "response_format",
            "response_format must be an object",
        )
        assert refusal(TEXT, {"format": form}) == ("format", "format must be an object")

    def test_another_bare_type(self, refusal):
        assert refusal(CHAT, {"response_format": "xml"})[0] == "response_format"


class TestJsonSchema:
    @pytest.mark.parametrize(
        "definition", [PERSON, {"name": "a_B-9"}, {"name": "n" * 64, "more": {"a": None}}]
    )
    def test_accepted(self, definition):
        assert CHAT.load(nested(definition)) == nested(definition)
        assert TEXT.load(flat(definition)) == flat(definition)

    def test_nulls_go(self):
        definition = {"name": "n", "strict": None, "description": None, "schema": None}

        assert CHAT.load(nested(definition)) == nested({"name": "n"})
        assert TEXT.load(flat(definition)) == flat({"name": "n"})

    def test_a_strict_schema_is_the_upstreams_to_judge(self):
        loose = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"]}

        assert CHAT.load(nested({"name": "n", "schema": loose, "strict": True}))

    @pytest.mark.parametrize(
        "form",
        [
            "json_schema",
            {"type": "json_schema"},
            nested(None)["response_format"],
            nested(5)["response_format"],
        ],
    )
    def test_no_object_on_chat(self, refusal, form):
        assert refusal(CHAT, {"response_format": form}) == (
            "response_format",
            "response_format must have an object json_schema next to its type json_schema",
        )

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": None}, "name"),
            ({"name": ""}, "name"),
            ({"name": "n" * 65}, "name"),
            ({"name": "two words"}, "name"),
            ({"name": "ä"}, "name"),
            ({"name": "n\n"}, "name"),
            ({"name": 5}, "name"),
            ({"schema": []}, "schema"),
            ({"schema": "{}"}, "schema"),
            ({"strict": "true"}, "strict"),
            ({"strict": 1}, "strict"),
            ({"description": 5}, "description"),
        ],
    )
    def test_refused(self, refusal, change, field):
        definition = {**PERSON, **change}

        assert refusal(CHAT, nested(definition))[0] == f"response_format.json_schema.{field}"
        assert refusal(TEXT, flat(definition))[0] == f"format.{field}"
