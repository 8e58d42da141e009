"""Commands that change one or more objects, whose names are their arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import click

from app.cli.output import REFUSED, STORE_UNAVAILABLE, report, show_json
from app.errors import StoreUnavailable
from app.operations.each import Result, Unchanged, apply_each

Changed = tuple[Mapping[str, Any], str]  # the changed object, and a line that reports it
Change = Callable[[str], Changed | Unchanged]


class Shown(Protocol):
    """A changed object."""

    def public(self) -> Mapping[str, Any]: ...


def names_argument(
    complete: Callable[..., Any], metavar: str = "NAME..."
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the decorator that adds the argument *metavar*, `names`, with *complete* for completion."""
    return click.argument(
        "names", metavar=metavar, nargs=-1, required=True, shell_complete=complete, callback=_distinct
    )


def listed(noun: str, names: Sequence[str]) -> str:
    """Return `key 'ann'`, or `keys 'ann', 'bob'`, for a question."""
    return f"{noun}{'' if len(names) == 1 else 's'} {', '.join(map(repr, names))}"


@dataclass(frozen=True, slots=True)
class Switch:
    """
    A change after which objects of a kind, the *noun*, have a state, such as paused.

    *was* returns the state in words of an object of that name that has it already, else ''. *done* is what
    was done to any other, the start of a sentence.
    """

    noun: str
    done: str
    was: Callable[[str], str]
    apply: Callable[[str, str], Shown]

    def each(self, pool: str, names: Sequence[str], *, as_json: bool) -> None:
        """Switch each of *names* in *pool*, and print the results, see `change_each`."""

        def change(name: str) -> Changed | Unchanged:
            was = self.was(name)
            public = self.apply(pool, name).public()
            if was:
                return Unchanged(
                    f"{self.noun.capitalize()} '{name}' in pool '{pool}' was {was} already.", public
                )
            return public, f"{self.done} {self.noun} '{name}' in pool '{pool}'."

        change_each(self.noun, names, change, as_json=as_json)


def change_each(noun: str, names: Sequence[str], change: Change, *, as_json: bool) -> None:
    """
    Make *change* to each of *names*, and print the results; JSON of several is a list.

    With one name its error is raised. With several, a failure does not stop the others: it is printed, and
    the exit status is REFUSED or STORE_UNAVAILABLE.
    """
    if len(names) == 1:
        report(as_json, *_reported(change(names[0])))
        return
    results = apply_each(change, names)
    failed = [result for result in results if result.error]
    changed = sum(result.is_change for result in results)
    if as_json:
        data = list(map(_public, results))
        show_json({"object": "list", "data": data, "changed": changed})
    for result in results:
        if result.error:
            click.echo(f"Error: {noun} '{result.name}': {result.error.message}", err=True)
        elif not as_json:
            click.echo(_reported(result.value)[1])
    if failed:
        is_away = isinstance(failed[-1].error, StoreUnavailable)
        click.get_current_context().exit(STORE_UNAVAILABLE if is_away else REFUSED)


def _public(result: Result) -> Mapping[str, Any]:
    if result.error is None:
        return _reported(result.value)[0]
    return {"name": result.name, **result.error.envelope()}


def _reported(value: object) -> Changed:
    """Return the object and the line of *value*, the result of a Change."""
    if isinstance(value, Unchanged):
        return cast(Mapping[str, Any], value.value), value.text
    return cast(Changed, value)


def _distinct(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(names))
