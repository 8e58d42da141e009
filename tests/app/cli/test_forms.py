"""The forms of values: help and error of an option name the same ones."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from app.cli import main
from app.cli.command import subcommands
from app.cli.forms import Form, WrongValue, one_of, option_of, parameter_of
from app.cli.limit import LIMIT
from app.cli.pool import ZONE

NO_VALUE = "?! no value"
OWN_ERRORS = {LIMIT, ZONE}  # whose errors quote the value, and name the forms or a similar value


def options(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Option]]:
    for name, command in subcommands(group):
        if isinstance(command, click.Group):
            yield from options(command, f"{path}{name} ")
        else:
            shown = (each for each in command.params if isinstance(each, click.Option))
            yield from ((f"{path}{name}", option) for option in shown if not option.hidden)


OPTIONS = list(options(main))
WITH_FORMS = [(path, option) for path, option in OPTIONS if isinstance(option.type, Form)]


def test_one_of():
    assert one_of(["a"]) == "a"
    assert one_of(["a", "b"]) == "a or b"
    assert one_of(["a", "b", "c"]) == "a, b, or c"


def test_no_option_converts_its_values_without_naming_their_forms():
    """A function as the type of an option would do that."""
    of_functions = [
        (path, option.opts) for path, option in OPTIONS if isinstance(option.type, click.types.FuncParamType)
    ]

    assert of_functions == []


@pytest.mark.parametrize(
    ("path", "option"), WITH_FORMS, ids=[f"{path} {option.opts[0]}" for path, option in WITH_FORMS]
)
def test_help_and_error_name_all_forms(path: str, option: click.Option):
    form = option.type
    assert isinstance(form, Form)
    assert str(form) in (option.help or "")
    if form in OWN_ERRORS:
        return

    given = " , " if "commas" in str(form) else NO_VALUE
    with pytest.raises(WrongValue) as error:
        form.convert(given, option, None)

    assert option_of(error.value) in option.opts
    assert error.value.format_message().startswith(f"{option.opts[0]} must be {form}")
    assert parameter_of(error.value) == option.opts[0].lstrip("-").replace("-", "_")


def test_parameters():
    """Arguments by their name, options by theirs."""
    command = click.Command("x", params=[click.Argument(["names"]), click.Option(["-n", "--max-rows"])])

    assert [parameter_of(click.BadParameter("", param=each)) for each in command.params] == [
        "names",
        "max_rows",
    ]
    assert parameter_of(click.BadOptionUsage("--max-rows", "")) == "max_rows"
    assert parameter_of(click.UsageError("")) is None
