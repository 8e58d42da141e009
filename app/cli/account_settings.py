"""Options of `poolgate account` for the settings of an account and of the requests to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from app.accounts.request_settings import RequestSettings
from app.cli.options import Decorator, read_secret
from schemas.account_settings import RESPONSE_MODELS, WEBSOCKET
from schemas.accounts import STREAM_UPSTREAM
from schemas.bounds import MAX_CERTIFICATE_CHARS, parse_number

DEFAULT = "default"  # resets a setting


def read_pairs(
    _context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str] | None:
    """Return the `NAME=VALUE` of a repeated option as a dict; None if it is not given."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise click.BadParameter("takes NAME=VALUE", param=option)
        if name.strip() in pairs:
            raise click.BadParameter(f"names '{name.strip()}' twice", param=option)
        pairs[name.strip()] = value.strip()
    return pairs or None


def _read_secret_pairs(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str] | None:
    pairs = read_pairs(context, option, texts) or {}
    return {name: read_secret("header", variable, False) for name, variable in pairs.items()} or None


def _read_list(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> list[str] | None:
    return list(texts) or None


def _read_json_pairs(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, Any] | None:
    pairs = read_pairs(context, option, texts) or {}
    return {name: _read_json(text, option) for name, text in pairs.items()} or None


def _read_json(text: str, option: click.Parameter) -> Any:
    """Parse *text*, which must not be null. Raises click.BadParameter."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise click.BadParameter('takes JSON, such as 0.2, true or "text"', param=option) from None
    if value is None:
        raise click.BadParameter("does not take null: see --drop and --unset", param=option)
    return value


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
        raise click.BadParameter("holds a password: give the URL by --proxy-env", param=option)
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


def _or_zero(_context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Return *text* as seconds, 0 for DEFAULT."""
    if text is None or text == DEFAULT:
        return None if text is None else 0
    if (seconds := parse_number(text)) is None:
        raise click.BadParameter(f"takes a number of seconds, or {DEFAULT}", param=option)
    return seconds


def _or_default(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    return "" if text == DEFAULT else text


def _refuse_base_url(_context: click.Context, _option: click.Parameter, url: str | None) -> None:
    """Explain why there is no such setting, since accounts are added with one."""
    if url is not None:
        raise click.UsageError(
            "The base URL of an account cannot be changed, because its credential must not reach another "
            "server: remove the account, then add it again with the other URL"
        )


# of commands that change an account
base_url_refusal = click.option("--base-url", hidden=True, expose_value=False, callback=_refuse_base_url)

REQUEST_OPTIONS: list[Decorator] = [
    click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="NAME=VALUE",
        callback=read_pairs,
        help="Header that is sent with each request. Repeatable.",
    ),
    click.option(
        "--header-env",
        "secret_headers",
        multiple=True,
        metavar="NAME=VAR",
        callback=_read_secret_pairs,
        help="Header whose value is a secret, in the environment variable VAR. Stored encrypted.",
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
        callback=read_pairs,
        help="Model that callers request, and its name at this account, such as a deployment. Repeatable.",
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
        help="Field of requests that it is not sent, such as reasoning_effort. Repeatable.",
    ),
    click.option(
        "--set",
        "set_fields",
        multiple=True,
        metavar="FIELD=JSON",
        callback=_read_json_pairs,
        help="Field that requests to it always have, such as temperature=0.2. Repeatable.",
    ),
    *(
        click.option(
            f"--{name}", f"{name.replace('-', '_')}_seconds", metavar="SECONDS", callback=_or_zero, help=text
        )
        for name, text in (
            ("timeout", "Time of a complete response, before another account is tried; default: the pool's."),
            (
                "first-token-timeout",
                "Time to the beginning of a response, if another account could serve; or default.",
            ),
            ("connect-timeout", "Time to connect to its server; or default."),
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

REMOVING_OPTIONS: list[Decorator] = [
    click.option(
        "--remove-header", "removed_headers", multiple=True, metavar="NAME", help="Remove a header again."
    ),
    click.option("--unmap", "unmapped", multiple=True, metavar="MODEL", help="Remove a name of --map again."),
    click.option(
        "--undrop", "undropped", multiple=True, metavar="FIELD", help="Send a field of --drop again."
    ),
    click.option("--unset", multiple=True, metavar="FIELD", help="No longer set a field of --set."),
    click.option(
        "--remove-ca-file",
        "removed_ca_file",
        is_flag=True,
        help="Verify its server with the usual authorities.",
    ),
]


@dataclass(frozen=True, slots=True)
class Removals:
    """The values of REMOVING_OPTIONS: the names of settings to remove or reset."""

    removed_headers: tuple[str, ...]
    unmapped: tuple[str, ...]
    undropped: tuple[str, ...]
    unset: tuple[str, ...]
    removed_ca_file: bool

    def _check_known(self, read_settings: Callable[[], RequestSettings]) -> None:
        """Raise click.BadParameter for a name that the account does not have."""
        names = {
            "--remove-header": (self.removed_headers, ("headers", "secret_headers")),
            "--unmap": (self.unmapped, ("model_names",)),
            "--undrop": (self.undropped, ("drop_fields",)),
            "--unset": (self.unset, ("set_fields",)),
        }
        if not any(removed for removed, _ in names.values()):
            return
        settings = read_settings()
        for option, (removed, fields) in names.items():
            stored = {name for each in fields for name in getattr(settings, each)}
            if "headers" in fields:  # names of headers ignore case
                stored |= {name for name in removed if name.lower() in {each.lower() for each in stored}}
            for name in removed:
                if name not in stored:
                    raise click.BadParameter(f"the account has no '{name}'", param_hint=option)

    def apply(
        self, fields: Mapping[str, Any], read_settings: Callable[[], RequestSettings]
    ) -> dict[str, Any]:
        """Return *fields*, those of the other options, with the settings here removed or reset."""
        changed = dict(fields)
        self._check_known(read_settings)
        for name, removed in (
            ("headers", self.removed_headers),
            ("secret_headers", self.removed_headers),
            ("model_names", self.unmapped),
            ("set_fields", self.unset),
        ):
            if removed:
                changed[name] = dict.fromkeys(removed) | fields.get(name, {})
        if self.removed_ca_file:
            changed.setdefault("ca_certificates", "")
        if self.undropped or "drop_fields" in fields:  # the field is a list that replaces the stored one
            dropped = (*read_settings().drop_fields, *fields.get("drop_fields", ()))
            changed["drop_fields"] = [name for name in dropped if name not in self.undropped]
        return changed
