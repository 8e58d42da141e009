"""The errors of a document, which are reported together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import InvalidRequest
from app.formatting import counted

MAX_SHOWN = 20


class DocumentErrors:
    """Errors in the order in which they were found: all of the form of a document, then one per section."""

    def __init__(self) -> None:
        self._errors: list[InvalidRequest] = []

    def __bool__(self) -> bool:
        return bool(self._errors)

    def add(self, error: InvalidRequest) -> None:
        self._errors.append(error)

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Add the InvalidRequest of the block, which ends there."""
        try:
            yield
        except InvalidRequest as error:
            self.add(error)

    def joined(self) -> InvalidRequest:
        """Return all errors as one, with the param of the first; there must be one."""
        if len(self._errors) == 1:
            return self._errors[0]
        messages = [error.message for error in self._errors[:MAX_SHOWN]]
        if more := len(self._errors) - len(messages):
            messages.append(f"and {counted(more, 'more error')}")
        text = f"{counted(len(self._errors), 'error')}: {'; '.join(messages)}"
        return InvalidRequest(text, param=self._errors[0].param)
