"""Merge the descriptions of fields into the JSON Schema that is generated from a marshmallow schema."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.json_schema import JsonSchema

PASSED_THROUGH = "x-passed-through"  # marks a field that the gateway neither checks nor changes


def merge(generated: JsonSchema, described: Mapping[str, JsonSchema]) -> JsonSchema:
    """
    Return *generated* with the descriptions and fields that *described* adds.

    A field that is only described passes through. Fields are in the order of *described*.
    """
    checked = generated["properties"]
    properties = {
        name: {**checked[name], **more} if name in checked else {**more, PASSED_THROUGH: True}
        for name, more in described.items()
    }
    return {**generated, "properties": {**properties, **_undescribed(checked, described)}}


def _undescribed(
    checked: Mapping[str, JsonSchema], described: Mapping[str, JsonSchema]
) -> dict[str, JsonSchema]:
    return {name: field for name, field in checked.items() if name not in described}
