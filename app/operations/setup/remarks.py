"""Remarks about what an import from another program left out or changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

MAX_REMARKS = 500


class RemarkJson(TypedDict):
    """A Remark, as data."""

    path: str
    text: str
    imported: bool


@dataclass(frozen=True, slots=True)
class Remark:
    """A part of a file, at *path*, that is not *imported* or is imported in another form, and the reason."""

    path: str
    text: str
    imported: bool

    def public(self) -> RemarkJson:
        return {"path": self.path, "text": self.text, "imported": self.imported}

    def __str__(self) -> str:
        return f"{'changed' if self.imported else 'not imported'}: {self.path}: {self.text}"


class Remarks:
    """The remarks of one import, in order, each once."""

    def __init__(self) -> None:
        self._remarks: dict[Remark, None] = {}

    def skipped(self, path: str, reason: str) -> None:
        """Report that *path* is not imported."""
        self._add(Remark(path, reason, imported=False))

    def changed(self, path: str, text: str) -> None:
        """Report that *path* is imported, but in another form or with another meaning."""
        self._add(Remark(path, text, imported=True))

    def _add(self, remark: Remark) -> None:
        if len(self._remarks) < MAX_REMARKS:
            self._remarks[remark] = None

    def all(self) -> list[Remark]:
        return list(self._remarks)
