"""The changes in a plan, and the differences that each makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypedDict

from app.errors import InvalidRequest
from app.operations.setup.errors import DocumentErrors
from app.suggestions import suggestion

HIDDEN = "(secret)"  # in place of a secret value
SECRET_NAMES = {"keys": "key", "webhooks": "secret"}  # what the secret of a new object is called, by section

Fields = Mapping[str, Any]


class Action(StrEnum):
    ADD = "add"
    CHANGE = "change"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"  # its account does not exist yet; a note has the remedy


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
    The change of one object of a pool: *name* in the document's *section*, '' in a section without names.

    *apply* makes the change and returns the new secret, '' if there is none. *result* is the changed object,
    with names of accounts in place of ids; an account of the store has its listed models.
    """

    section: str
    name: str
    action: Action
    differences: Mapping[str, DifferenceJson] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    apply: Callable[[], str] = _nothing
    result: Any = field(default=None, repr=False)

    @property
    def is_change(self) -> bool:
        """Whether *apply* changes something."""
        return self.action in (Action.ADD, Action.CHANGE)

    @property
    def secret_name(self) -> str:
        """The name of the secret that *apply* returns."""
        return SECRET_NAMES.get(self.section, "key")

    def public(self) -> ChangeJson:
        return {
            "section": self.section,
            "name": self.name,
            "action": self.action,
            "differences": dict(self.differences),
            "notes": list(self.notes),
        }


def differences(before: Fields, after: Fields) -> dict[str, DifferenceJson]:
    """Return the differences of *after* from *before*, in the fields of *after*."""
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
    result: Any = None,
) -> PlannedChange:
    """
    Return the change, made by *apply*, of an object from *before* (None if it is new) to *after*.

    *result* is the changed object.
    """
    changed = differences(before or {}, after)
    if before is not None and not changed:
        return PlannedChange(section, name, Action.UNCHANGED, notes=notes)
    action = Action.ADD if before is None else Action.CHANGE
    return PlannedChange(section, name, action, changed, notes, apply, result)


def skipped(section: str, name: str, note: str) -> PlannedChange:
    """Return a change that leaves an object as it is, for the reason in *note*."""
    return PlannedChange(section, name, Action.SKIPPED, notes=(note,))


@dataclass(frozen=True, slots=True)
class KnownAccounts:
    """Names of accounts: *present* ones will exist when changes are made, *absent* ones will not."""

    present: Collection[str]
    absent: Collection[str]

    def select(self, names: Iterable[str]) -> list[str]:
        """Return *names* without absent ones. Raises DocumentInvalid with the index of each unknown name."""
        selected, errors = [], DocumentErrors()
        for index, name in enumerate(names):
            if name in self.present:
                selected.append(name)
            elif name not in self.absent:
                similar = suggestion(name, sorted({*self.present, *self.absent}))
                message = f"there is no account named '{name[:64]}'{similar}"
                errors.add(InvalidRequest(message, param=f"[{index}]"))
        errors.check()
        return selected


@dataclass(frozen=True, slots=True)
class MadeChange:
    """A *change* that was made (or would be, in a dry run), and its new *secret*, '' if there is none."""

    change: PlannedChange
    secret: str = field(default="", repr=False)

    def public(self) -> dict[str, Any]:
        """Return the fields of the change, and the secret under `secret_name`."""
        return {**self.change.public(), **({self.change.secret_name: self.secret} if self.secret else {})}


def make_changes(changes: Iterable[PlannedChange], *, dry_run: bool) -> Iterator[MadeChange]:
    """Make each of *changes*, or none in a *dry_run*, and yield each."""
    for change in changes:
        yield MadeChange(change, change.apply() if change.is_change and not dry_run else "")


def summary(changes: Sequence[PlannedChange], *, dry_run: bool) -> str:
    """Return the number of *changes* of each kind, as a sentence."""
    counts = Counter(change.action for change in changes)
    added, changed, unchanged = (counts[action] for action in (Action.ADD, Action.CHANGE, Action.UNCHANGED))
    rest = f"{unchanged} unchanged"
    if skipped := counts[Action.SKIPPED]:
        rest += f", {skipped} skipped"
    if dry_run:
        return f"Would add {added} and change {changed}; {rest}. Nothing was changed."
    return f"Added {added} and changed {changed}; {rest}."
