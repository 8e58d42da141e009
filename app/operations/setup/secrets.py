"""The secrets of a document: environment variables that it names."""

from __future__ import annotations

from collections.abc import Mapping

from app.errors import InvalidRequest


class Variables:
    """Environment variables, and the names of those that are needed and not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._missing: dict[str, str] = {}

    def find(self, name: str) -> str:
        """Return the value of the variable *name*, '' where it is not set or empty."""
        return self._environ.get(name, "").strip()

    def require(self, name: str, path: str) -> str:
        """Return the same for a variable that *path* of the document needs; it is reported if missing."""
        value = self.find(name)
        if not value:
            self._missing.setdefault(name, path)
        return value

    def check(self) -> None:
        """Raise InvalidRequest that lists all missing variables."""
        if self._missing:
            names = ", ".join(f"{name} ({path})" for name, path in self._missing.items())
            raise InvalidRequest(f"These environment variables are not set: {names}", param="environment")
