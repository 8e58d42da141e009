"""Helpers for records: a fast `dataclass` decorator, and the public fields of records that operators see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, cast, dataclass_transform

Record = TypeVar("Record")
Shape = TypeVar("Shape")


@dataclass_transform(frozen_default=True)
def record(cls: type[Record]) -> type[Record]:
    """
    Make *cls* a slotted dataclass whose fields the type checker does not let anyone assign.

    A dataclass that is frozen at run time sets each field through `object.__setattr__`, which takes ten
    times as long. The two dozen records of a request have about 150 fields: that is 2 % of its cost.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


def public_fields(source: object, shape: type[Shape], **attributes: str) -> Shape:
    """
    Return the fields of *shape*, a TypedDict, from the attributes of *source* that have these names.

    *attributes* maps fields to the attributes of *source* that have another name.
    """
    names = shape.__annotations__
    return cast(Shape, {name: getattr(source, attributes.get(name, name)) for name in names})
