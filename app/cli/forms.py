"""The forms that values of options have: help and errors name all of them, from one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click


class WrongValue(click.BadParameter):
    """A value that an option does not take; the message is a predicate: `must be a number`."""

    def format_message(self) -> str:
        return f"{option_of(self)} {self.message}"


class Form(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """
    The *forms* in which a value can be written, such as "a number of seconds" and "default".

    *read* returns the value of a text. It raises ValueError for one of no such form, and WrongValue for one
    that is wrong in another way.
    """

    name = "text"

    def __init__(self, read: Callable[[str], Any], *forms: str) -> None:
        self.read, self.forms = read, forms

    def __str__(self) -> str:
        return one_of(self.forms)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value  # a default
        try:
            return self.read(value)
        except ValueError:
            raise WrongValue(f"must be {self}", ctx, param) from None


def one_of(forms: Iterable[str]) -> str:
    """Return *forms* as part of a sentence: `a number or default`; with commas between three or more."""
    *others, last = forms
    return f"{', '.join(others)}{',' if len(others) > 1 else ''} or {last}" if others else last


def option_of(error: click.BadParameter) -> str:
    """Return the option or the argument that *error* is about: `--queue-seconds`; '' if it is unknown."""
    if isinstance(error.param_hint, str):
        return error.param_hint
    if isinstance(error.param, click.Argument):
        return error.param.make_metavar(error.ctx or click.Context(click.Command(None)))
    return max(error.param.opts, key=len) if error.param is not None else ""


def parameter_of(error: click.UsageError) -> str | None:
    """Return the parameter that *error* is about, as in JSON: `queue_seconds`; None if there is none."""
    if isinstance(error, click.BadOptionUsage):
        name = error.option_name
    elif isinstance(error, click.BadParameter) and isinstance(error.param, click.Argument):
        name = error.param.name or ""
    else:
        name = option_of(error) if isinstance(error, click.BadParameter) else ""
    return name.lstrip("-").replace("-", "_").lower() or None
