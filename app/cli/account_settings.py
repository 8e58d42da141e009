"""Options of `poolgate account` for the settings of an account and of the requests to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from app.cli.forms import Form, WrongValue
from app.cli.options import Decorator, read_secret
from schemas.account_settings import RESPONSE_MODELS, WEBSOCKET
from schemas.accounts import STREAM_UPSTREAM
from schemas.bounds import MAX_CERTIFICATE_CHARS, parse_number

DEFAULT = "default"  # resets a setting


def read_pair(text: str) -> tuple[str, str]:
    """Read `NAME=VALUE` as (name, value). Raises ValueError."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise ValueError
    return name, value


def collect_pairs(
    _context: click.Context, option: click.Parameter, pairs: Sequence[tuple[str, Any]]
) -> dict[str, Any] | None:
    """Return the pairs of a repeated option as a dict; None if it is not given. Raises WrongValue."""
    collected = {}
    for name, value in pairs:
        if name in collected:
            raise WrongValue(f"names '{name}' twice", param=option)
        collected[name] = value
    return collected or None


def _read_secret_pairs(
    context: click.Context, option: click.Parameter, given: Sequence[tuple[str, str]]
) -> dict[str, str] | None:
    pairs = collect_pairs(context, option, given) or {}
    return {name: read_secret("header", variable, False) for name, variable in pairs.items()} or None


def _read_list(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> list[str] | None:
    return list(texts) or None


def read_json_pair(text: str) -> tuple[str, Any]:
    """Read `FIELD=JSON` as (field, value). Raises ValueError, or WrongValue for null."""
    name, json = read_pair(text)
    value = orjson.loads(json)
    if value is None:
        raise WrongValue("does not take null: see --drop and --unset")
    return name, value


def _read_certificates(_context: click.Context, option: click.Parameter, path: Path | None) -> str | None:
    """Return the text of the file *path*; of a file that is too long, only the beginning."""
    if path is None:
        return None
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return file.read(MAX_CERTIFICATE_CHARS + 1) or "an empty file"
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}", param=option) from None


def _read_proxy(_context: click.Context, option: click.Parameter, url: str | None) -> str | None:
    """Return *url*, '' for DEFAULT; a URL with a password is refused, since other users can see arguments."""
    if url is None:
        return None
    if ":" in url.partition("://")[2].rpartition("@")[0]:
        raise WrongValue("holds a password: give the URL by --proxy-env", param=option)
    return "" if url == DEFAULT else url


def _read_secret_proxy(_context: click.Context, _option: click.Parameter, variable: str | None) -> str | None:
    return read_secret("proxy", variable, False) if variable else None


def with_proxy(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return *fields*, those of the options, with one field for both options of the proxy."""
    changed = dict(fields)
    secret = changed.pop("secret_proxy", None)
    if secret and changed.get("proxy") is not None:
        raise click.UsageError("Give one of --proxy and --proxy-env")
    return changed | ({"proxy": secret} if secret else {})


def read_seconds(text: str) -> float:
    """Read a number of seconds, 0 for DEFAULT. Raises ValueError."""
    seconds = 0 if text == DEFAULT else parse_number(text)
    if seconds is None:
        raise ValueError
    return seconds


def _or_default(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    return "" if text == DEFAULT else text


HEADER = Form(read_pair, "NAME=VALUE such as X-Tenant=blue")
SECRET_HEADER = Form(read_pair, "NAME=VAR, where the environment variable VAR has the value")
MAPPED = Form(read_pair, "MODEL=NAME such as gpt-5=team-gpt5")
SET_FIELD = Form(read_json_pair, "FIELD=JSON such as temperature=0.2, store=true or user='\"ann\"'")
SECONDS = Form(read_seconds, "a number of seconds", DEFAULT)

REQUEST_OPTIONS: list[Decorator] = [
    click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="NAME=VALUE",
        type=HEADER,
        callback=collect_pairs,
        help=f"Header that is sent with each request: {HEADER}. May be repeated.",
    ),
    click.option(
        "--header-env",
        "secret_headers",
        multiple=True,
        metavar="NAME=VAR",
        type=SECRET_HEADER,
        callback=_read_secret_pairs,
        help=f"Header whose value is a secret: {SECRET_HEADER}. Stored encrypted. May be repeated.",
    ),
    click.option(
        "--auth-header",
        metavar="NAME",
        callback=_or_default,
        help="Header that holds the API key, such as api-key, in place of Authorization; default: that of "
        "its kind.",
    ),
    click.option(
        "--map",
        "model_names",
        multiple=True,
        metavar="MODEL=NAME",
        type=MAPPED,
        callback=collect_pairs,
        help="Model that callers request, and its name at this account, such as a deployment: "
        f"{MAPPED}. May be repeated.",
    ),
    click.option(
        "--response-model",
        type=click.Choice(RESPONSE_MODELS),
        help="Name in the responses of such a model: requested [default], or that of the upstream.",
    ),
    click.option(
        "--websocket",
        type=click.Choice(WEBSOCKET),
        help="Whether conversations use a WebSocket, over which only what is new of each request is sent, "
        "where the server accepts it (openai, chatgpt): off [default] or on.",
    ),
    click.option(
        "--drop",
        "drop_fields",
        multiple=True,
        metavar="FIELD",
        callback=_read_list,
        help="Field of requests that it is not sent, such as reasoning_effort. May be repeated.",
    ),
    click.option(
        "--set",
        "set_fields",
        multiple=True,
        metavar="FIELD=JSON",
        type=SET_FIELD,
        callback=collect_pairs,
        help=f"Field that requests to it always have: {SET_FIELD}. May be repeated.",
    ),
    *(
        click.option(
            f"--{name}",
            f"{name.replace('-', '_')}_seconds",
            metavar="SECONDS",
            type=SECONDS,
            help=f"{text}: {SECONDS}.",
        )
        for name, text in (
            (
                "timeout",
                "Time of a complete response, before another account is tried; by default the pool's",
            ),
            (
                "first-token-timeout",
                "Time to the beginning of a response, if another account could serve",
            ),
            ("connect-timeout", "Time to connect to its server"),
        )
    ),
    click.option(
        "--ca-file",
        "ca_certificates",
        type=click.Path(path_type=Path),
        metavar="FILE",
        callback=_read_certificates,
        help="PEM file of the authorities that its TLS server is verified with, in place of the usual ones. "
        "Its content is stored.",
    ),
    click.option(
        "--proxy",
        metavar="URL",
        callback=_read_proxy,
        help="Proxy for its requests: http, https, socks5 or socks5h (which resolves names); default: that "
        "of the environment.",
    ),
    click.option(
        "--proxy-env",
        "secret_proxy",
        metavar="VAR",
        callback=_read_secret_proxy,
        help="The same, in the environment variable VAR: for a URL with a password. Stored encrypted.",
    ),
]

# Options that can also be changed later; None means not given.
CHANGEABLE: list[Decorator] = [
    click.option("--cap", type=int, help="Maximum concurrent requests; 100 by default."),
    click.option("--weight", type=int, help="Relative share of the load; 1 by default."),
    click.option("--group", type=int, help="Under the policy `ordered`, lower groups are used first."),
    click.option(
        "--stream-upstream",
        type=click.Choice(STREAM_UPSTREAM),
        help="Whether its server streams responses: auto, always or never; "
        "pool [default]: as the pool's setting.",
    ),
    *REQUEST_OPTIONS,
]
