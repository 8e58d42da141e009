"""Fields and the base schema of admin bodies, in which an unknown field is an error."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from marshmallow import RAISE, Schema, ValidationError
from marshmallow.validate import ContainsNoneOf, Length, Regexp

from schemas.bounds import name_error
from schemas.fields import Text, Texts
from schemas.validation_errors import invalid

MAX_LISTED = 6  # fields that the error about an unknown one lists
MAX_SUGGESTED = 20  # unknown fields for which a similar one is searched


class AdminSchema(Schema):
    class Meta:
        unknown = RAISE

    error_messages = {"type": "must be an object", "unknown": "is not a field of this object"}

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._names = [field.data_key or name for name, field in self.load_fields.items()]
        if 0 < len(self._names) <= MAX_LISTED:
            self.error_messages["unknown"] += f", which may have {', '.join(self._names)}"

    def handle_error(self, error: ValidationError, data: Any, **_: Any) -> None:
        """Add the name that was probably meant to the error of each unknown field."""
        unknown = self.error_messages["unknown"]
        wrong = [name for name, messages in error.messages_dict.items() if messages == [unknown]]
        for name in wrong[:MAX_SUGGESTED]:
            if similar := get_close_matches(str(name)[:64], self._names, 1):
                error.messages_dict[name] = [f"{unknown}. Did you mean '{similar[0]}'?"]


class Name(Text):
    """1 to 64 letters, digits and `. _ - @ +`: safe in a URL, a shell and a table."""

    def __init__(self, **more: Any) -> None:
        text = "must be 1 to 64 letters, digits or any of . _ - @ +, the first a letter or digit"
        super().__init__(validate=Regexp(r"[^\W_][\w.@+-]{0,63}\Z", error=text), **more)


class Names(Texts):
    """An array of at most *max_names* non-empty strings."""

    def __init__(self, max_names: int, **more: Any) -> None:
        checks = [
            ContainsNoneOf(("",), error="must not hold an empty string"),
            Length(max=max_names, error=f"must have at most {max_names} entries"),
        ]
        super().__init__(validate=checks, **more)


class ModelNames(Names):
    """An array of names of models."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        for index, name in enumerate(super()._deserialize(value, attr, data)):
            if name and (error := name_error(name)):
                raise invalid(error, index)
        return value
