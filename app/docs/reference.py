"""
The content of the API reference, from an OpenAPI document: groups of operations, and the fields of bodies.

Pure: the document is data, whichever application generated it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.docs.code_samples import CodeSample, example_of, samples

Json = dict[str, Any]
EXACT = 2**53  # larger limits are only those of a number's type, so they are not shown
MAX_DEPTH = 8
ALIAS_OF = "x-alias-of"  # extension of an operation: the path of an identical one


@dataclass(frozen=True, slots=True)
class Variant:
    """The fields of one of the objects that a field may have; `title` is '' if there is only one."""

    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object; `facts` are its default, limits and values in words."""

    name: str
    type: str
    description: str = ""
    is_required: bool = False
    is_passed_through: bool = False
    facts: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """A body of *media_type*, with its example as text; `same_as` is an operation with the same body."""

    media_type: str
    type: str
    variants: tuple[Variant, ...]
    example: str
    same_as: Link | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """An operation to link to."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; `places` of parameters are `path`, `query` and `header`."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    security: tuple[str, ...]
    parameters: tuple[tuple[str, Field], ...]
    request: tuple[Content, ...]
    response: tuple[Content, ...]
    error: str
    samples: tuple[CodeSample, ...]
    body: str  # the body with which the page tries it
    can_try: bool
    alias_of: str


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    description: str
    operations: tuple[Operation, ...] = field(default=())


def groups(document: Json) -> list[Group]:
    """Return the operations of *document* under its tags, in its order."""
    operations: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    shown: dict[bytes, Link] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            operations[operation["tags"][0]].append(_operation(document, shown, path, method, operation))
    return [
        Group(tag["name"], tag["description"], tuple(operations[tag["name"]])) for tag in document["tags"]
    ]


def _operation(
    document: Json, shown: dict[bytes, Link], path: str, method: str, operation: Json
) -> Operation:
    """
    Return an operation; *shown* has the bodies that earlier operations show, and gets those of this one.
    """
    link = Link(operation["operationId"], f"{method.upper()} {path}")
    responses = operation["responses"]
    success = next(answer for status, answer in responses.items() if status.startswith("2"))
    failure = responses.get("default", {}).get("content", {}).get("application/json", {})
    request = operation.get("requestBody", {}).get("content", {})
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        security=tuple(name for each in operation.get("security", ()) for name in each),
        parameters=tuple(
            (each["in"], _field(document, each["name"], each["schema"], each.get("required", False), 0, each))
            for each in operation.get("parameters", ())
        ),
        request=tuple(_contents(document, shown, link, request)),
        response=tuple(_contents(document, shown, link, success["content"])),
        error=_pretty(failure.get("example")),
        samples=tuple(samples(method, path, operation)),
        body=_pretty(example_of(request["application/json"])) if "application/json" in request else "",
        can_try=not request or "application/json" in request,
        alias_of=operation.get(ALIAS_OF, ""),
    )


def _contents(document: Json, shown: dict[bytes, Link], link: Link, content: Json) -> Iterator[Content]:
    for media_type, described in content.items():
        schema, example = described["schema"], _pretty(described.get("example"))
        variants = _variants(document, schema, 0)
        is_long = sum(len(variant.fields) for variant in variants) > 2
        same_as = shown.setdefault(orjson.dumps(schema), link) if is_long else link
        if same_as is link:
            yield Content(media_type, type_of(document, schema), variants, example)
        else:
            yield Content(media_type, type_of(document, schema), (), example, same_as)


def _pretty(example: Any) -> str:
    return "" if example is None else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()


def type_of(document: Json, schema: Json) -> str:
    """Return the type of *schema* in words: `string | array of (text part | image part)`."""
    schema = _resolved(document, schema)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return " | ".join(dict.fromkeys(type_of(document, option) for option in options))
    if "const" in schema:
        return orjson.dumps(schema["const"]).decode()
    if "enum" in schema and "type" not in schema:
        return " | ".join(orjson.dumps(value).decode() for value in schema["enum"])
    named = schema.get("type", "object" if "properties" in schema or "allOf" in schema else "any")
    kinds = [named] if isinstance(named, str) else named
    shown = [kind for kind in kinds if kind != "null"] or kinds
    return " | ".join(_kind(document, schema, kind) for kind in shown)


def _kind(document: Json, schema: Json, kind: str) -> str:
    if kind == "object":
        return str(schema.get("title", kind))
    if kind == "array" and schema.get("items"):
        items = type_of(document, schema["items"])
        return f"array of ({items})" if " | " in items else f"array of {items}"
    return "file" if schema.get("format") == "binary" else kind


def _variants(document: Json, schema: Json, depth: int) -> tuple[Variant, ...]:
    """Return the objects that *schema* allows, also in alternatives and arrays, with their fields."""
    found = list(_objects(document, schema)) if depth < MAX_DEPTH else []
    return tuple(
        Variant(
            str(each.get("title", "")) if len(found) > 1 else "",
            tuple(
                _field(document, name, one, name in each.get("required", ()), depth + 1)
                for name, one in each["properties"].items()
            ),
        )
        for each in found
    )


def _objects(document: Json, schema: Json) -> Iterator[Json]:
    schema = _resolved(document, schema)
    if schema.get("properties"):
        yield schema
    for option in _nested(schema):
        yield from _objects(document, option)


def _nested(schema: Json) -> Sequence[Json]:
    items = [schema["items"]] if schema.get("items") else []
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ()), *items]


def _field(
    document: Json, name: str, schema: Json, is_required: bool, depth: int, described: Json | None = None
) -> Field:
    resolved = _resolved(document, schema)
    return Field(
        name=name,
        type=type_of(document, schema),
        description=(described or resolved).get("description", ""),
        is_required=is_required,
        is_passed_through=resolved.get("x-passed-through", False),
        facts=tuple(_facts(resolved)),
        variants=_variants(document, schema, depth),
    )


def _facts(schema: Json) -> Iterator[str]:
    if schema.get("default") is not None:
        yield f"default {orjson.dumps(schema['default']).decode()}"
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        if unit == " characters" and "array" in schema.get("type", ()) and "string" not in schema["type"]:
            continue  # they apply to its items
        at_least, at_most = schema.get(low), schema.get(high)
        if at_least is not None and abs(at_least) < EXACT and (at_least or at_most is None):
            if at_most is not None and at_most < EXACT:
                yield f"{at_least:,} to {at_most:,}{unit}"
            else:
                yield f"at least {at_least:,}{unit.removesuffix('s') if at_least == 1 else unit}"
        elif at_most is not None and at_most < EXACT:
            yield f"at most {at_most:,}{unit}"
    values = schema.get("enum") or schema.get("items", {}).get("enum")
    if values and "type" in schema:
        yield "one of " + ", ".join(_value(value) for value in values if value is not None)
    if schema.get("examples"):
        yield "such as " + ", ".join(map(str, schema["examples"]))
    if "pattern" in schema:
        yield f"matches {schema['pattern']}"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _resolved(document: Json, schema: Json) -> Json:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    resolved: Json = found
    return resolved
