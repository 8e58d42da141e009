"""Owners and labels of API keys, by which operators find keys and attribute usage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from schemas.bounds import MAX_TEXT_CHARS
from schemas.fields import SPACES, Object, Text
from schemas.validation_errors import invalid

MAX_LABELS = 16  # per key
MAX_LABEL_VALUE_CHARS = 128
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}\Z")
NAME_ERROR = "must have names of 1 to 64 letters, digits or any of . _ - /, the first a letter or digit"
UNPRINTABLE = "must not have unprintable characters"
Labels = Mapping[str, str]


class Owner(Text):
    """Who is responsible for a key, such as a person or a cost centre; empty: unknown."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text: str = super()._deserialize(value, attr, data)
        if len(text) > MAX_TEXT_CHARS:
            raise invalid(f"must have at most {MAX_TEXT_CHARS} characters")
        if not text.isprintable() or text != text.strip():
            raise invalid(SPACES if text != text.strip() else UNPRINTABLE)
        return text


class KeyLabels(Object):
    """`{name: value}`, at most `MAX_LABELS`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        labels = super()._deserialize(value, attr, data)
        if len(labels) > MAX_LABELS:
            raise invalid(f"must be at most {MAX_LABELS}")
        for name, text in labels.items():
            if NAME.match(name) is None:
                raise invalid(NAME_ERROR)
            if error := value_error(text):
                raise invalid(error, name)
        return labels


def value_error(value: Any) -> str:
    """Return the reason that *value* cannot be the value of a label, as a predicate; '' if it can."""
    if type(value) is not str or not 0 < len(value) <= MAX_LABEL_VALUE_CHARS:
        return f"must be a string of 1 to {MAX_LABEL_VALUE_CHARS} characters"
    if value != value.strip() or "," in value:
        return SPACES if value != value.strip() else "must not have a comma"  # lists of labels have commas
    return "" if value.isprintable() else UNPRINTABLE


def is_label_grouping(text: str) -> bool:
    """Return whether *text* is `label:NAME`, by which usage is grouped."""
    prefix, _, name = text.partition(":")
    return prefix == "label" and NAME.match(name) is not None


def parse_label_filters(text: str) -> dict[str, str]:
    """Parse filters that are separated by commas, see `label_filters`; {} for ''."""
    return label_filters(text.split(",")) if text else {}


def label_filters(texts: list[str]) -> dict[str, str]:
    """
    Return {name: value} for *texts* such as `env=prod`, or `env`, whose value '' matches any value.

    Raises ValidationError for the field `label`.
    """
    filters = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if NAME.match(name) is None:
            raise ValidationError({"label": [NAME_ERROR]})
        filters[name] = value
    return filters
