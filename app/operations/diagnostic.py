"""The finding of a check; findings that several accounts share are merged into one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypedDict

from app.accounts.pools import DEFAULT
from app.records import public_fields

MAX_NAMES = 10  # written out in one line


class Level(StrEnum):
    WRONG = "wrong"  # needs attention
    NOTE = "note"


class Subject(StrEnum):
    """The kind of object that the names of a diagnostic belong to."""

    NONE = ""
    ACCOUNT = "account"
    KEY = "key"
    TEAM = "team"


class DiagnosticJson(TypedDict):
    """A Diagnostic, by its public names."""

    level: Level
    where: str
    what: str
    remedy: str
    mend: str  # the former name of `remedy`, until the next release
    subject: Subject
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """
    A finding about `where`, and the `remedy` for it.

    With a `subject`, it is about the accounts, keys or teams `names` of the pool `where`. NAME in the
    `remedy` stands for each name, and `detail` is what differs between the names.
    """

    level: Level
    where: str
    what: str
    remedy: str = ""
    subject: Subject = Subject.NONE
    names: tuple[str, ...] = ()
    detail: str = ""

    def public(self) -> DiagnosticJson:
        """Return the JSON fields."""
        return public_fields(self, DiagnosticJson, mend="remedy")


def pool_option(pool: str) -> str:
    """Return the option of a command for *pool*, with a leading space; '' for the default pool."""
    return "" if pool == DEFAULT else f" --pool {pool}"


def group_diagnostics(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Merge diagnostics that differ only by name and detail, in their order; equal ones are one."""
    groups: dict[Diagnostic, dict[tuple[str, str], None]] = {}
    for diagnostic in diagnostics:
        members = groups.setdefault(replace(diagnostic, names=(), detail=""), {})
        members |= {(name, diagnostic.detail): None for name in diagnostic.names}
    return [_merge(group, list(members)) for group, members in groups.items()]


def _merge(group: Diagnostic, members: list[tuple[str, str]]) -> Diagnostic:
    if not members:
        return group
    names = tuple(name for name, _ in members)
    if len(members) == 1:
        ((name, detail),) = members
        what = f"{group.what} {detail}" if detail else group.what
        where, remedy = f"{group.where}/{name}", group.remedy.replace("NAME", name)
        return replace(group, where=where, what=what, remedy=remedy, names=names)
    shown = [f"{name} ({detail})" if detail else name for name, detail in members[:MAX_NAMES]]
    more = f" and {len(members) - MAX_NAMES} more" if len(members) > MAX_NAMES else ""
    where = f"{group.where}: each of {len(members)} {group.subject}s"  # what follows is in the singular
    return replace(group, where=where, what=f"{group.what}: {', '.join(shown)}{more}", names=names)
