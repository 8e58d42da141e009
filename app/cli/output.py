"""Output of commands: tables for people, JSON for scripts, and reports of failures."""

from __future__ import annotations

import errno
import io
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NoReturn

import click
import orjson
from click.core import ParameterSource
from marshmallow import ValidationError

from app import formatting
from app.cli.command import CHANGES, INTERRUPTED, Interrupted
from app.cli.forms import WrongValue, parameter_of
from app.cli.width import pad, width
from app.colours import shows_colours
from app.config import NAMES, ConfigError
from app.errors import GatewayError, InvalidRequest, StoreRefused, StoreUnavailable
from app.limits.limit_syntax import format_limit, readable_limit
from app.stores import failures
from app.stores.private_server import PrivateServerError
from app.stores.records.limits import Limit
from app.stores.secrets import UnreadableSecret
from schemas.validation_errors import first_error

Number = int | float | Decimal
REFUSED, USAGE, STORE_UNAVAILABLE = 1, 2, 3  # exit codes
WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
GAP = "  "
MAX_MESSAGE_CHARS = 2000
MAX_PADDED = 40  # columns of the terminal of a cell to which shorter ones of its column are padded
REFUSED_BY_STORE = (
    "The store rejected a command and changed nothing. This is a bug in Poolgate, please report it ({})"
)
_DIGITS = re.compile(r"-?[0-9][0-9,]*(\.[0-9]+)?")
SETTING_OPTIONS = {  # the variables whose values options replace, by the names of these
    "host": NAMES["bind"],
    "port": NAMES["port"],
    "workers": NAMES["web_concurrency"],
    "redis_url": NAMES["redis_url"],
}
STORE = "poolgate.store"  # in click's meta: the address of the store


class Figure(str):
    """A formatted number, which tables align to the right; `value` is the exact number, if it is known."""

    value: Number | None

    def __new__(cls, text: str, value: Number | None = None) -> Figure:
        figure = super().__new__(cls, text)
        figure.value = value
        return figure

    @property
    def number(self) -> float | None:
        """The number to sort by; parsed from the text if there is no exact one."""
        if self.value is not None:
            return float(self.value)
        digits = _DIGITS.search(self)
        return float(digits[0].replace(",", "")) if digits else None


class Wording(str):
    """A text for people; `plain` is what it is in CSV."""

    plain: str

    def __new__(cls, text: str, plain: str) -> Wording:
        wording = super().__new__(cls, text)
        wording.plain = plain
        return wording


def limit_texts(limits: Iterable[Limit]) -> Wording:
    """Return *limits* as a cell of a table: `1,000,000 total_tokens/day; 5 usd/month`."""
    stored = list(limits)
    if not stored:
        return Wording("none", "none")
    return Wording("; ".join(map(readable_limit, stored)), "; ".join(map(format_limit, stored)))


def amount(number: float) -> Figure:
    """Return a whole number as a cell of a table."""
    return Figure(formatting.count(number), number)


def cost(micro_dollars: int) -> Figure:
    """Return money as a cell of a table."""
    return Figure(formatting.dollars(micro_dollars), Decimal(micro_dollars) / formatting.MICRO_DOLLARS)


def price(micro_dollars: int) -> Figure:
    """Return the price of a million tokens as a cell of a table."""
    return Figure(formatting.price(micro_dollars), Decimal(micro_dollars) / formatting.MICRO_DOLLARS)


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """
    Return *rows* under *heads* in aligned columns; columns of numbers are aligned to the right.

    Every value is complete: one of more than MAX_PADDED characters moves the rest of its line.
    """
    cells = [[printable(cell) for cell in row] for row in (heads, *rows)]
    widths, right = padded_widths(cells), is_right_aligned(rows)
    return "\n".join(GAP.join(join_columns(line, widths, right)).rstrip() for line in cells)


def column_widths(cells: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of each column of *cells*, the heads included."""
    return [max(map(width, column)) for column in zip(*cells, strict=True)]


def padded_widths(cells: Sequence[Sequence[str]]) -> list[int]:
    """Return the width to which each column of *cells* is padded: its longest cell up to MAX_PADDED."""
    columns = (sorted(map(width, column)) for column in zip(*cells, strict=True))
    return [max(size for size in sizes if size <= MAX_PADDED or size == sizes[0]) for sizes in columns]


def is_right_aligned(rows: Sequence[Sequence[object]]) -> list[bool]:
    """Return which columns of *rows* are aligned to the right: those with only numbers."""
    return [all(isinstance(cell, int | Figure) for cell in column) for column in zip(*rows, strict=True)]


def join_columns(line: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    """Return the cells of *line*, each padded to the width of its column."""
    return [
        pad(cell, columns, to_right=to_right)
        for cell, columns, to_right in zip(line, widths, right, strict=True)
    ]


def printable(cell: object) -> str:
    """Return *cell* as text on one line, '' as a hyphen."""
    # text may quote an upstream, and terminals interpret control characters
    return "".join(letter if letter.isprintable() else "?" for letter in str(cell)) or "-"


def pairs(lines: Iterable[tuple[str, str]]) -> str:
    """Return (label, text) as aligned lines, without pairs that have no text."""
    shown = [(label, printable(text)) for label, text in lines if text]
    columns = max((width(label) for label, _ in shown), default=0)
    return "\n".join(f"{pad(label, columns)}{GAP}{text}" for label, text in shown)


def show_json(value: Any) -> None:
    """Print *value* as indented JSON."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def show_list(records: Sequence[Mapping[str, Any]]) -> None:
    """Print *records* as a JSON list object."""
    show_json({"object": "list", "data": records})


def report(as_json: bool, value: Any, sentence: str) -> None:
    """Print *value* as JSON, or *sentence* for people."""
    if as_json:
        show_json(value)
    else:
        click.echo(sentence)


@contextmanager
def report_failures(*, as_json: bool) -> Iterator[None]:
    """End the program with an exit code and one line on stderr for expected failures."""
    try:
        yield
    except Interrupted as error:
        _end_interrupted(error, as_json)
    except KeyboardInterrupt:
        _end_interrupted(Interrupted(_what_was_changed()), as_json)
    except click.exceptions.NoArgsIsHelpError:
        raise  # click prints help for a bare `poolgate account`
    except click.UsageError as error:
        _fail(InvalidRequest(_with_hint(error), param=parameter_of(error)), USAGE, as_json)
    except ValidationError as error:
        param, message = first_error(error)
        _fail(naming_option(InvalidRequest(message, param=param)), USAGE, as_json)
    except ConfigError as error:
        _fail(InvalidRequest(_setting_error(error)), USAGE, as_json)
    except PrivateServerError as error:
        _fail(StoreUnavailable(str(error)), STORE_UNAVAILABLE, as_json)
    except StoreUnavailable as error:
        _fail(StoreUnavailable(store_failure(error)), STORE_UNAVAILABLE, as_json)
    except StoreRefused as error:
        _fail(GatewayError(REFUSED_BY_STORE.format(printable(error.reason))), REFUSED, as_json)
    except UnreadableSecret as error:
        _fail(GatewayError(str(error)), REFUSED, as_json)
    except OSError as error:
        if error.filename is None and error.errno not in WRITE_ERRORS:
            raise  # not a file: click exits silently when output is not read
        if error.filename is None:
            sys.stdout = io.StringIO()  # the rest would fail again at the exit
        name = error.filename or "standard output"
        _fail(GatewayError(f"{name}: {error.strerror}"), REFUSED, as_json)
    except GatewayError as error:
        _fail(naming_option(error), REFUSED, as_json)


@contextmanager
def wrong_call() -> Iterator[None]:
    """Raise InvalidRequest as click.UsageError: the value of an option is wrong by itself."""
    try:
        yield
    except InvalidRequest as error:
        option, predicate = _parameter_and_predicate(error)
        if option:
            raise WrongValue(predicate, param_hint=option) from None
        raise click.UsageError(error.message) from None


def name_store(url: str) -> None:
    """Record the address of the store, without its password, for errors of this command."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[STORE] = failures.public_address(url)


def store_failure(error: StoreUnavailable) -> str:
    """Return the message for a store that cannot be used, with its address and the cause."""
    context = click.get_current_context(silent=True)
    address = context.meta.get(STORE) if context is not None else None
    return f"The store{f' at {address}' if address else ''} {failures.diagnose(error).clause}"


def _setting_error(error: ConfigError) -> str:
    """Return the message of *error*, with the option in place of its variable where the option was given."""
    context = click.get_current_context(silent=True)
    for option in context.command.params if context is not None else ():
        name = option.name or ""
        is_given = context is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_given and SETTING_OPTIONS.get(name) == error.variable:
            return f"{option.opts[0]} {error.shown} does not work: {error.accepted}"
    return str(error)


def _with_hint(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "poolgate"
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):  # click has another form for several
        similar = " or ".join(map(repr, error.possibilities or ()))
        message = f"{error.message} Did you mean {similar}?" if similar else error.message
    return f"{message.rstrip('.')} (see {path} --help)"


def naming_option(error: GatewayError) -> GatewayError:
    """
    Return *error*, whose message names the parameter of the command that has the value: `--cap must be …`.

    The value may be one of several of an option (`on[0]`), or an argument (`URL must be …`).
    """
    parameter, predicate = _parameter_and_predicate(error)
    if parameter:
        error.message = f"{parameter} {predicate}"
    return error


def _parameter_and_predicate(error: GatewayError) -> tuple[str, str]:
    """Return the option or argument that *error* is about and what is wrong with it; else two empty texts."""
    context = click.get_current_context(silent=True)
    field, _, _ = (error.param or "").partition("[")
    option = f"--{field.replace('_', '-')}"
    name, _, predicate = error.message.partition(" ")
    if name.partition("[")[0] != field or not predicate.startswith(("must ", "is ", "has ")):
        return "", ""
    for parameter in context.command.params if context is not None else ():
        if option in parameter.opts:
            return option, predicate
        if isinstance(parameter, click.Argument) and parameter.name == field:
            return parameter.human_readable_name, predicate
    return "", ""


def _what_was_changed() -> str:
    context = click.get_current_context(silent=True)
    has_begun = context is not None and context.meta.get(CHANGES)
    return "poolgate audit lists what was changed before." if has_begun else ""


def _end_interrupted(error: Interrupted, as_json: bool) -> NoReturn:
    if error.ends_line and sys.stderr.isatty():
        click.echo(err=True)
    message = orjson.dumps(GatewayError(str(error)).envelope()).decode() if as_json else str(error)
    click.echo(message, err=True)
    raise click.exceptions.Exit(INTERRUPTED)


def _fail(error: GatewayError, exit_code: int, as_json: bool) -> NoReturn:
    message = error.message  # it may quote an option, of any length
    if len(message) > MAX_MESSAGE_CHARS:
        error.message = f"{message[: MAX_MESSAGE_CHARS // 2]} … {message[-MAX_MESSAGE_CHARS // 2 :]}"
    click.echo(orjson.dumps(error.envelope()) if as_json else f"{_error_word()} {error.message}", err=True)
    raise click.exceptions.Exit(exit_code)


def _error_word() -> str:
    return click.style("Error:", fg="red") if shows_colours(sys.stderr) else "Error:"
