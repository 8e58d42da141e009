"""Options of `poolgate account` for the requests that an account is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from app.cli.options import Decorator, read_secret

DEFAULT = "default"  # takes a setting back


def read_pairs(
    _context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str] | None:
    """Return the `NAME=VALUE` of a repeated option as a dict; None where it is not given."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise click.BadParameter("takes NAME=VALUE", param=option)
        pairs[name.strip()] = value.strip()
    return pairs or None


def _read_secret_pairs(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str] | None:
    pairs = read_pairs(context, option, texts) or {}
    return {name: read_secret("header", variable, False) for name, variable in pairs.items()} or None


def _or_default(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    return "" if text == DEFAULT else text


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
]
REMOVING_OPTIONS: list[Decorator] = [
    click.option(
        "--remove-header", "removed_headers", multiple=True, metavar="NAME", help="Remove a header again."
    ),
]


def with_removals(fields: Mapping[str, Any], *, headers: tuple[str, ...]) -> dict[str, Any]:
    """Return *fields*, those of the options, which also remove *headers*."""
    changed = dict(fields)
    if headers:
        removed = dict.fromkeys(headers)
        changed["headers"] = removed | fields.get("headers", {})
        changed["secret_headers"] = removed | fields.get("secret_headers", {})
    return changed
