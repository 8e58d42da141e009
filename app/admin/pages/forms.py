"""A form as it was sent: what was typed is kept, and what is wrong stands beside its field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA

from app.errors import GatewayError, InvalidRequest, NotFound


class Form:
    """
    Text by field, and beside it `faults`: field, or "" for the whole form -> sentence.

    *fields* names the inputs that the page has: a fault of anything else is the form's own.
    *under* says where a fault goes that is told of another name than its input has.
    """

    def __init__(
        self, typed: Mapping[str, str], *fields: str, under: Mapping[str, str] | None = None
    ) -> None:
        self._typed = {name: value for name, value in typed.items() if isinstance(value, str)}
        self._fields = fields
        self._under = dict(under or {})
        self.faults: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self._typed.get(name, "")

    @property
    def status(self) -> int:
        """Of the page that shows this form again."""
        return 400 if self.faults else 200

    def said(self, *names: str) -> dict[str, Any]:
        """Return those of *names* that were filled in."""
        return {name: self[name].strip() for name in names if self[name].strip()}

    def lines(self, name: str) -> list[str]:
        """Return what was written in an area, one to a line or between commas."""
        return [part.strip() for part in self[name].replace(",", "\n").splitlines() if part.strip()]

    def whole(self, name: str) -> int | str:
        """Return the number in a field, or the text for a schema to refuse."""
        text = self[name].strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else text

    def move(self, told: str, field: str) -> None:
        """From now on a fault of *told* stands beside *field*."""
        self._under[told] = field

    def fault(self, name: str, said: str) -> None:
        name = self._under.get(name, name)
        if name not in self._fields:
            name, said = "", f"{name}: {said}" if name and name not in said else said
        self.faults.setdefault(name, said)

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Keep what is found wrong in this block, which ends there."""
        try:
            yield
        except ValidationError as error:
            for name, said in _told(error.messages):
                self.fault(name, said)
        except GatewayError as error:
            named = isinstance(error, InvalidRequest | NotFound)
            self.fault(error.param or "" if named else "", error.message)


def _told(messages: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from _told(inner, name or ("" if key == SCHEMA else str(key)))
    elif isinstance(messages, list):
        yield from ((name, str(said)) for said in messages[:1])
    else:
        yield name, str(messages)
