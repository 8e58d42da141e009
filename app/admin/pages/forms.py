"""A submitted form: its values, and an error message for each field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import render_template
from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA

from app.errors import GatewayError, InvalidRequest, NotFound, StoreError
from schemas.bounds import parse_integer

ErrorPath = tuple[str | int, ...]  # of an item in the data that a form was read into: ("headers", "Host")

BLANK_ROWS = 2  # blank rows after the filled ones


def count_rows(typed: Mapping[str, str], noun: str, part: str, *, least: int, most: int) -> int:
    """
    Return the number of rows of the form that shows, or was submitted with, the values *typed*.

    The fields of a row are `<noun>_<number>_<part>`; blank rows follow those that are filled in.
    """
    known = range(most, 0, -1)
    used = next((number for number in known if f"{noun}_{number}_{part}" in typed), 0)
    return max(least, min(most, used + BLANK_ROWS))


class Form:
    """
    Submitted text by field, and `errors`: the message by field, "" for the whole form.

    *fields* are the inputs of the page; an error of any other name belongs to the form as a whole. *under*
    maps names in error messages to the inputs that show them.
    """

    def __init__(
        self, typed: Mapping[str, str], *fields: str, under: Mapping[str, str] | None = None
    ) -> None:
        self._typed = {name: value for name, value in typed.items() if isinstance(value, str)}
        self._fields = fields
        self._under: dict[str | ErrorPath, str] = {}
        self._under.update(under or {})
        self.errors: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self._typed.get(name, "")

    @property
    def typed(self) -> Mapping[str, str]:
        """All submitted texts by field."""
        return self._typed

    @property
    def status(self) -> int:
        """The status of the response that shows this form."""
        return 400 if self.errors else 200

    def filled(self, *names: str) -> dict[str, str]:
        """Return those of *names* that were filled in."""
        return {name: self[name].strip() for name in names if self[name].strip()}

    def show(self, name: str, text: str) -> None:
        """Show *text* in the field *name* from now on, in place of what was submitted."""
        self._typed[name] = text

    def lines(self, name: str) -> list[str]:
        """Return the parts of a field that are separated by lines or commas."""
        return [part.strip() for part in self[name].replace(",", "\n").splitlines() if part.strip()]

    def integer(self, name: str) -> int | str:
        """Return a field as an integer; other text is returned as it is, for the schema to refuse."""
        text = self[name].strip()
        number = parse_integer(text)
        return text if number is None else number

    def check_rows(self, noun: str, most: int) -> None:
        """Record an error if a row above *most* is filled in: its fields `<noun>_<number>_…` are not read."""
        numbers = (
            parse_integer(name.removeprefix(f"{noun}_").partition("_")[0])
            for name, text in self._typed.items()
            if name.startswith(f"{noun}_") and text.strip()
        )
        if any(number is not None and number > most for number in numbers):
            self.add_error(
                "", f"The form has rows of {noun.replace('_', ' ')}s above {most}, which is the limit"
            )

    def redirect_errors(self, name: str | ErrorPath, field: str) -> None:
        """Show errors of *name*, a field or the path of an item, at *field* from now on."""
        self._under[name] = field

    def add_error(self, name: str, message: str) -> None:
        """Record *message* for the field *name*, unless it has one."""
        name = self._under.get(name, name)
        if name not in self._fields:
            name, message = "", f"{name}: {message}" if name and name not in message else message
        self.errors.setdefault(name, message)

    @contextmanager
    def collect_errors(self) -> Iterator[None]:
        """
        Record validation errors that are raised in the block, and continue after it.

        A failure of the store is raised: the block may have saved something before it.
        """
        try:
            yield
        except StoreError:
            raise
        except ValidationError as error:
            for path, message in _flatten(error.messages):
                self.add_error(self._field_at(path), message)
        except GatewayError as error:
            named = isinstance(error, InvalidRequest | NotFound)
            path = tuple(error.param.split(".", 1)) if named and error.param else ()
            self.add_error(self._field_at(path), error.message)

    @contextmanager
    def collect_all_errors(self) -> Iterator[None]:
        """As `collect_errors`, also failures of the store: for a block whose page shows how far it came."""
        try:
            with self.collect_errors():
                yield
        except StoreError as error:
            self.add_error("", error.message)

    def _field_at(self, path: ErrorPath) -> str:
        """Return the field of the innermost item on *path* that has one, else the name of the outermost."""
        found = (self._under.get(path[:length]) for length in range(len(path), 1, -1))
        return next((field for field in found if field), str(path[0]) if path else "")


def _flatten(messages: Any, path: ErrorPath = ()) -> Iterator[tuple[ErrorPath, str]]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from _flatten(inner, path if key == SCHEMA else (*path, key))
    elif isinstance(messages, list):
        yield from ((path, str(message)) for message in messages[:1])
    else:
        yield path, str(messages)


def confirmation(form: Form, question: str, text: str, yes: str, **page: Any) -> tuple[str, int]:
    """Return the confirmation page; *page* has its `section`, `back` and checkboxes, `checks`."""
    return render_template(
        "confirm.html", form=form, question=question, text=text, yes=yes, **page
    ), form.status
