"""The changes that a plan consists of, and the differences that each makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypedDict

from marshmallow import ValidationError

from app.errors import GatewayError, InvalidRequest, StoreRefused, StoreUnavailable
from schemas.validation_errors import first_error

HIDDEN = "(secret)"  # in place of a secret value

Fields = Mapping[str, Any]


class Action(StrEnum):
    ADD = "add"
    CHANGE = "change"
    UNCHANGED = "unchanged"


class DifferenceJson(TypedDict):
    """The values of one field; None: absent."""

    before: Any
    after: Any


class ChangeJson(TypedDict):
    """A PlannedChange, as data."""

    section: str
    name: str
    action: Action
    differences: dict[str, DifferenceJson]
    notes: list[str]


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """
    What becomes of one object of a pool: *name* of a document's *section*, '' for a section without names.

    *apply* makes the change and returns the secret that it made, '' if there is none.
    """

    section: str
    name: str
    action: Action
    differences: Mapping[str, DifferenceJson] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    apply: Callable[[], str] = _nothing

    def public(self) -> ChangeJson:
        return {
            "section": self.section,
            "name": self.name,
            "action": self.action,
            "differences": dict(self.differences),
            "notes": list(self.notes),
        }


def differences(before: Fields, after: Fields) -> dict[str, DifferenceJson]:
    """Return how *after* differs from *before*, in the fields that *after* has."""
    return {
        name: {"before": before.get(name), "after": value}
        for name, value in after.items()
        if before.get(name) != value
    }


def planned(
    section: str,
    name: str,
    before: Fields | None,
    after: Fields,
    apply: Callable[[], str],
    *,
    notes: tuple[str, ...] = (),
) -> PlannedChange:
    """Return the change of an object from *before*, None if it is new, to *after*, which *apply* makes."""
    changed = differences(before or {}, after)
    if before is not None and not changed:
        return PlannedChange(section, name, Action.UNCHANGED, notes=notes)
    action = Action.ADD if before is None else Action.CHANGE
    return PlannedChange(section, name, action, changed, notes, apply)


@contextmanager
def errors_at(path: str) -> Iterator[None]:
    """Raise the errors of the block as InvalidRequest with *path* in front. The store's stay as they are."""
    try:
        yield
    except ValidationError as error:
        param, message = first_error(error)
        raise InvalidRequest(f"{path}{'.' if param else ': '}{message}", param=path) from None
    except (StoreUnavailable, StoreRefused):
        raise
    except GatewayError as error:
        raise InvalidRequest(f"{path}: {error.message}", param=path) from None
