"""The errors of a document, which are reported together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from marshmallow import ValidationError

from app.errors import GatewayError, InvalidRequest, StoreRefused, StoreUnavailable
from app.formatting import counted
from schemas.validation_errors import first_error_path

MAX_JOINED = 20  # errors in one message
MAX_LISTED = 100  # errors in a list
DOCUMENT_NAMES = {  # the name in a document, by the parameter of an error; '' for a value without a name
    "limit": "",
    "model": "",
    "credential": "api_key_env",
    "time_limit": "time_limits",
}


class DocumentInvalid(InvalidRequest):
    """
    A document has *errors*, in the order in which they were found; `param` is that of the first.

    The param of each is the path of the value in the document, None for the document itself.
    """

    def __init__(self, errors: Sequence[InvalidRequest]) -> None:
        super().__init__(_joined(errors), param=errors[0].param)
        self.errors = errors

    def envelope(self) -> dict[str, Any]:
        """Return the envelope, with the param and the message of each error under `errors`."""
        envelope = super().envelope()
        listed = self.errors[:MAX_LISTED]
        envelope["error"]["errors"] = [{"param": one.param, "message": one.message} for one in listed]
        return envelope


class DocumentErrors:
    """Collects the errors of a document."""

    def __init__(self) -> None:
        self._errors: list[InvalidRequest] = []

    def add(self, error: InvalidRequest) -> None:
        self._errors += error.errors if isinstance(error, DocumentInvalid) else [error]

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Add the InvalidRequest of the block, which ends there."""
        try:
            yield
        except InvalidRequest as error:
            self.add(error)

    @contextmanager
    def collect_at(self, param: str) -> Iterator[None]:
        """Add the errors of the block, which ends there, with another *param*."""
        try:
            yield
        except DocumentInvalid as error:
            self._errors += [InvalidRequest(each.message, param=param) for each in error.errors]

    def check(self, more: Sequence[InvalidRequest] = ()) -> None:
        """Raise DocumentInvalid if there are errors, followed by *more*."""
        if self._errors:
            raise DocumentInvalid([*self._errors, *more])


def numbered(section: str, entries: Sequence[Mapping[str, Any] | None]) -> Iterator[tuple[str, Any]]:
    """Yield the path and the content of each of *entries*, without those whose form is wrong (None)."""
    return ((f"{section}[{at}]", entry) for at, entry in enumerate(entries) if entry is not None)


@contextmanager
def errors_at(path: str) -> Iterator[None]:
    """Raise errors of the block as InvalidRequest with *path* in front; errors of the store are unchanged."""
    try:
        yield
    except ValidationError as error:
        field_name, message = first_error_path(error)
        place = f"{path}.{field_name}" if field_name else path
        raise InvalidRequest(f"{place} {message}", param=place) from None
    except DocumentInvalid as error:
        raise DocumentInvalid([_at(path, each) for each in error.errors]) from None
    except (StoreUnavailable, StoreRefused):
        raise
    except GatewayError as error:
        raise _at(path, error) from None


def _at(path: str, error: GatewayError) -> InvalidRequest:
    name = DOCUMENT_NAMES.get(error.param or "", error.param) or ""
    place = f"{path}{name}" if name.startswith("[") or not name else f"{path}.{name}"
    return InvalidRequest(f"{path}: {error.message}", param=place)


def _joined(errors: Sequence[InvalidRequest]) -> str:
    """Return the message for all *errors*."""
    if len(errors) == 1:
        return errors[0].message
    messages = [error.message for error in errors[:MAX_JOINED]]
    if more := len(errors) - len(messages):
        messages.append(f"and {counted(more, 'more error')}")
    return f"{counted(len(errors), 'error')}: {'; '.join(messages)}"
