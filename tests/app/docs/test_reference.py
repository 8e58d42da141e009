"""What the API reference shows of a document."""

from __future__ import annotations

from typing import Any

import pytest

from app.docs.reference import ALIAS_OF, groups, type_of

TEXT = {"type": "string"}
PART = {"type": "object", "title": "text part", "properties": {"text": TEXT}, "required": ["text"]}
FILE = {"type": "object", "title": "file part", "properties": {"file": {"$ref": "#/components/schemas/File"}}}
MESSAGE = {
    "type": "object",
    "properties": {"content": {"anyOf": [TEXT, {"type": "array", "items": {"anyOf": [PART, FILE]}}]}},
}
BODY = {
    "type": "object",
    "required": ["messages"],
    "properties": {
        "messages": {"type": ["array", "null"], "items": MESSAGE, "minItems": 1},
        "count": {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63, "default": 3},
        "size": {"type": "integer", "minimum": 1, "maximum": 10, "description": "How large."},
        "mode": {"type": "string", "enum": ["a", "b", None]},
        "store": {"type": "boolean", "enum": [False, None]},
        "seed": {"type": "integer", "x-passed-through": True},
    },
}


def operation(name: str, tag: str = "Chat", **more: Any) -> dict[str, Any]:
    answer = {"description": "", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "operationId": name,
        "tags": [tag],
        "summary": name.title(),
        "responses": {"200": answer, "default": answer},
        **more,
    }


def document(**paths: Any) -> dict[str, Any]:
    return {
        "tags": [{"name": "Chat", "description": "Talk."}, {"name": "Other", "description": ""}],
        "paths": {f"/{name}": {"post": described} for name, described in paths.items()},
        "components": {"schemas": {"File": {"type": "object", "title": "file", "properties": {"id": TEXT}}}},
    }


WITH_BODY = {"requestBody": {"content": {"application/json": {"schema": BODY}}}}


class TestFields:
    @pytest.fixture
    def fields(self) -> Any:
        (chat, _) = groups(document(create=operation("create", **WITH_BODY)))
        (variant,) = chat.operations[0].request[0].variants
        return {field.name: field for field in variant.fields}

    def test_nested_objects_and_arrays(self, fields: Any) -> None:
        messages = fields["messages"]

        assert (messages.type, messages.is_required) == ("array of object", True)
        (content,) = messages.variants[0].fields
        assert content.type == "string | array of (text part | file part)"
        assert [variant.title for variant in content.variants] == ["text part", "file part"]
        (file,) = content.variants[1].fields
        assert (file.type, file.variants[0].fields[0].name) == ("file", "id")

    def test_defaults_limits_and_values(self, fields: Any) -> None:
        assert fields["messages"].facts == ("at least 1 item",)
        assert fields["count"].facts == ("default 3",)
        assert (fields["size"].facts, fields["size"].description) == (("1 to 10",), "How large.")
        assert fields["mode"].facts == ("one of a, b",)
        assert fields["store"].facts == ("one of false",)

    def test_what_passes_through(self, fields: Any) -> None:
        assert [name for name, field in fields.items() if field.is_passed_through] == ["seed"]

    def test_a_schema_that_contains_itself_ends(self) -> None:
        tree: dict[str, Any] = {
            "type": "object",
            "properties": {"child": {"$ref": "#/components/schemas/Tree"}},
        }
        content = {"content": {"application/json": {"schema": tree}}}
        described = document(create=operation("create", requestBody=content))
        described["components"]["schemas"]["Tree"] = tree

        assert groups(described)


class TestOperations:
    def test_they_are_under_their_tags(self) -> None:
        found = groups(document(a=operation("a", "Other"), b=operation("b"), c=operation("c", "Other")))

        assert [(one.name, [each.id for each in one.operations]) for one in found] == [
            ("Chat", ["b"]),
            ("Other", ["a", "c"]),
        ]

    def test_a_body_is_shown_once(self) -> None:
        (chat, _) = groups(document(a=operation("a", **WITH_BODY), b=operation("b", **WITH_BODY)))

        first, second = (one.request[0] for one in chat.operations)
        assert first.variants
        assert first.same_as is None
        assert not second.variants
        assert second.same_as is not None
        assert (second.same_as.id, second.same_as.title) == ("a", "POST /a")

    def test_an_alias_names_its_original(self) -> None:
        (chat, _) = groups(document(a=operation("a", **{ALIAS_OF: "/v1/a"})))

        assert chat.operations[0].alias_of == "/v1/a"


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        ({"type": ["string", "null"]}, "string"),
        ({"type": "null"}, "null"),
        ({"enum": ["none", "auto"]}, '"none" | "auto"'),
        ({"const": "text"}, '"text"'),
        ({"type": ["string", "array"], "items": TEXT}, "string | array of string"),
        ({"anyOf": [TEXT, TEXT, {"type": "null"}]}, "string | null"),
        ({"type": "string", "format": "binary"}, "file"),
        ({}, "any"),
    ],
)
def test_types_in_words(schema: dict[str, Any], shown: str) -> None:
    assert type_of({}, schema) == shown
