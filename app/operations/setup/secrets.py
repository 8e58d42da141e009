"""
The secrets of a document, which contains only the names of their environment variables.

A command reads the variables from its environment. A request to the admin API or a page never reads those of
the server, because a document could send any variable to any address: the caller sends the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Variables:
    """
    Values by the names of variables; records which variables were used, and which are needed but missing.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._named: dict[str, None] = {}
        self._missing: dict[str, str] = {}

    @property
    def named(self) -> Sequence[str]:
        """The names of all variables of the document, in order."""
        return list(self._named)

    @property
    def missing(self) -> Mapping[str, str]:
        """The path in the document of each variable that is needed and not set, by its name."""
        return self._missing

    def find(self, name: str) -> str:
        """Return the value of the variable *name*; '' if it is not set or empty, or *name* is ''."""
        if name:
            self._named[name] = None
        return self._values.get(name, "").strip()

    def require(self, name: str, path: str) -> str:
        """Return the value of a variable that *path* of the document needs; records it if it is missing."""
        value = self.find(name)
        if not value:
            self._missing.setdefault(name, path)
        return value
