"""Apply a change to several objects, one after the other or at the same time; each is audited by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from app.errors import GatewayError, StoreUnavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What a change returns if its object, the *value*, was as requested before; *text* reports that."""

    text: str = ""
    value: object = None


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a change of the object *name*: a `value`, or the `error`."""

    name: str
    value: object = None
    error: GatewayError | None = None

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def is_change(self) -> bool:
        """Whether the object was changed: it did not fail, and was not as requested before."""
        return self.ok and not isinstance(self.value, Unchanged)

    @property
    def text(self) -> str:
        """Text to show: the error message, or the text that the change returned."""
        if self.error is not None:
            return self.error.message
        if isinstance(self.value, Unchanged):
            return self.value.text
        return self.value if isinstance(self.value, str) else ""


def unless_equal(
    read: Callable[[str], T], apply: Callable[[str], T], part: Callable[[T], object] = lambda value: value
) -> Callable[[str], object]:
    """
    Return the change *apply*, with the result Unchanged if that equals what *read* returned before.

    Only the *part* of the two objects is compared.
    """

    def change(name: str) -> object:
        before = part(read(name))
        value = apply(name)
        return Unchanged(value=value) if part(value) == before else value

    return change


def apply_each(apply: Callable[[str], object], names: Sequence[str], *, workers: int = 1) -> list[Result]:
    """
    Apply a change to each of *names*, and return the results in the same order.

    A failure does not stop the other changes; but once the store is unavailable, the rest is not tried. Up to
    *workers* changes run in parallel, in threads if there are several.
    """
    outages: list[StoreUnavailable] = []

    def change(name: str) -> Result:
        if outages:
            return Result(name, error=outages[0])
        try:
            return Result(name, apply(name))
        except GatewayError as error:
            if isinstance(error, StoreUnavailable):
                outages.append(error)
            return Result(name, error=error)

    if workers == 1:
        return [change(name) for name in names]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(change, names))
