"""Options that commands share, the connection to the store, and reading of secrets."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from app.accounts.pools import DEFAULT, checked_name
from app.cli import complete
from app.cli.clock import use_zone
from app.cli.command import CHANGES
from app.cli.forms import Form
from app.cli.listing import check_listing
from app.cli.output import name_store
from app.cli.prompts import is_terminal, type_secret
from app.config import Settings
from app.errors import InvalidRequest
from app.operations.operators import OperatorOperations
from app.operations.service import AdminOperations
from app.stores import failures, private_server
from app.stores.records.audit import Actor, Via
from app.wiring import Services, build

START_SECONDS = 3.0  # for the first reply of the store: a command without a store ends within five seconds
STORE_TIMEOUT_SECONDS = 2.0  # for one reply; more than for requests of callers
MAX_SECRET_BYTES = 65536
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_NAMED = re.compile(r"[A-Z_][A-Z0-9_]{0,39}")

T = TypeVar("T")
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def checked(read: Callable[[str], T]) -> Callable[[str], T]:
    """Return *read* as an option type: InvalidRequest becomes a usage error."""

    def convert(text: str) -> T:
        try:
            return read(text)
        except InvalidRequest as error:
            raise click.BadParameter(error.message) from None

    return convert


def read_names(text: str) -> list[str]:
    """Read `a,b` as ["a", "b"]. Raises ValueError if it is empty: an empty variable must not mean `all`."""
    values = [name.strip() for name in text.split(",") if name.strip()]
    if not values:
        raise ValueError
    return values


NAMES = Form(read_names, "one or more, separated by commas")


def names_option(option: str, what: str, shell_complete: Complete | None = None) -> Decorator:
    """Return an option that takes names, separated by commas; *what* they are begins its help."""
    return click.option(
        option, type=NAMES, metavar="A,B", help=f"{what}: {NAMES}.", shell_complete=shell_complete
    )


class _PoolName(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    name = "pool"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return checked(checked_name)(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return complete.pools(ctx, param, incomplete)


pool_name = _PoolName()
in_pool = click.option(
    "--pool", default=DEFAULT, show_default=True, type=pool_name, metavar="POOL", help="The pool to use."
)


def key_filters(before: str, after: str = "") -> Callable[..., Any]:
    """
    Add --owner (None if not given) and --label, as `labels`, which select by the owner and labels of keys.

    In the help, *before* and *after* surround "this owner" and "this label": `of keys that had` … ` then`.
    """

    def add(command: Callable[..., None]) -> Callable[..., None]:
        label = click.option(
            "--label",
            "labels",
            metavar="NAME[=VALUE]",
            multiple=True,
            help=f"Only {before} this label{after}, with this value or any value. May be repeated.",
        )
        owner = click.option("--owner", metavar="TEXT", help=f"Only {before} this owner{after}.")
        return owner(label(command))

    return add


redis_url_option = click.option(
    "--redis-url",
    metavar="URL",
    help="Redis URL. Defaults to $REDIS_URL (use it for a URL with a password), "
    "then to the private server under $POOLGATE_HOME.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print output and errors as JSON.")


def with_store(run: Callable[..., None]) -> Callable[..., None]:
    """Add --redis-url and --json to a command, which is called with services, as_json and its own options."""

    @redis_url_option
    @json_option
    @wraps(run)
    def command(redis_url: str | None, **options: Any) -> None:
        check_listing(click.get_current_context(), as_json=options["as_json"])
        services = connect(settings_for(redis_url, os.environ))
        if options.get("pool"):
            use_zone(services, options["pool"])
        run(services, **options)

    return command


def connect(settings: Settings) -> Services:
    """
    Return services on the Redis of *settings*, else on the private server, until the command ends.

    Commands wait at most START_SECONDS for an unavailable store, and at most STORE_TIMEOUT_SECONDS for each
    later reply. Raises ConfigError, PrivateServerError, StoreUnavailable, or click.UsageError for a malformed
    URL or key.
    """
    settings = replace(settings, redis_url=private_server.redis_url(settings, START_SECONDS))
    try:
        services = build(settings, store_timeout_seconds=STORE_TIMEOUT_SECONDS)
    except ValueError:  # its message may contain a password
        raise click.UsageError(f"The Redis URL, or {settings.home}/secret.key, is malformed") from None
    click.get_current_context().with_resource(closing(services.scripts))
    failures.check_reachable(services.scripts, START_SECONDS)
    return services


def settings_for(redis_url: str | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a command, and record the store address for its errors. Raises ConfigError."""
    override = {"REDIS_URL": redis_url} if redis_url else {}
    settings = Settings.from_environment({**environ, **override})
    name_store(settings.redis_url or private_server.url(settings.home))
    return settings


def _note_changes() -> None:
    """Note that the command may change something from now on, for the message of an interruption."""
    if context := click.get_current_context(silent=True):
        context.meta[CHANGES] = True


def operations(services: Services, via: Via = Via.CLI) -> AdminOperations:
    """Return the audited operations, made on behalf of the user who runs this command."""
    from app import administration  # imported here: commands that only read do not need it

    _note_changes()
    return administration.operations(services, actor(via))


def operator_operations(services: Services) -> OperatorOperations:
    """Return the audited changes of operators, sessions and admin tokens, likewise."""
    from app import administration

    _note_changes()
    return administration.operator_operations(services, actor())


def actor(via: Via = Via.CLI) -> Actor:
    """Return the user who runs this command, for the audit log."""
    return Actor(_user(), via)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in containers, a user may have no name
        return f"uid {os.getuid()}"


def read_secret(what: str, variable: str | None, from_stdin: bool, *, required: bool = True) -> str:
    """
    Return the secret in the environment's *variable* or on standard input; '' if it is not *required*.

    *what* is the prefix of its options. Messages contain *variable* only if it looks like a name, since it
    may be a pasted key. Raises click.UsageError.
    """
    if bool(variable) + from_stdin > 1 or (required and not variable and not from_stdin):
        raise click.UsageError(f"Give one of --{what}-env and --{what}-stdin")
    if variable:
        if _VARIABLE.fullmatch(variable) is None:
            raise click.UsageError(f"--{what}-env takes the name of an environment variable")
        looks_named = _NAMED.fullmatch(variable) is not None
        source = f"The environment variable {variable if looks_named else f'named by --{what}-env'}"
        if variable not in os.environ:
            raise click.UsageError(f"{source} is not set")
        secret = os.environ[variable]
    elif from_stdin:
        secret, source = _from_stdin(what), "Standard input"
    else:
        return ""
    if not secret.strip():
        raise click.UsageError(f"{source} is empty")
    return secret.strip()


def _from_stdin(what: str) -> str:
    if is_terminal():
        return type_secret(what)
    return sys.stdin.buffer.read(MAX_SECRET_BYTES).decode(errors="replace")
