"""Fields and the base schema of admin bodies, in which an unknown field is an error."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema
from marshmallow.validate import ContainsNoneOf, Regexp

from schemas.fields import Text, Texts


class AdminSchema(Schema):
    class Meta:
        unknown = RAISE

    error_messages = {"type": "must be an object", "unknown": "is not a field of this object"}


class Name(Text):
    """1 to 64 letters, digits and `. _ - @ +`: safe in a URL, a shell and a table."""

    def __init__(self, **more: Any) -> None:
        text = "must be 1 to 64 letters, digits or any of . _ - @ +, the first a letter or digit"
        super().__init__(validate=Regexp(r"[^\W_][\w.@+-]{0,63}\Z", error=text), **more)


class Names(Texts):
    """An array of non-empty strings."""

    def __init__(self, **more: Any) -> None:
        super().__init__(validate=ContainsNoneOf(("",), error="must not hold an empty string"), **more)
