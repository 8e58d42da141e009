"""Options of `poolgate account` for the requests that an account is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from app.cli.options import Decorator, read_secret
from schemas.account_settings import RESPONSE_MODELS

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
]
REMOVING_OPTIONS: list[Decorator] = [
    click.option(
        "--remove-header", "removed_headers", multiple=True, metavar="NAME", help="Remove a header again."
    ),
    click.option("--unmap", "unmapped", multiple=True, metavar="MODEL", help="Remove a name of --map again."),
]


def with_removals(
    fields: Mapping[str, Any], *, headers: tuple[str, ...], models: tuple[str, ...]
) -> dict[str, Any]:
    """Return *fields*, those of the options, which also remove *headers* and the names of *models*."""
    changed = dict(fields)
    if headers:
        removed = dict.fromkeys(headers)
        changed["headers"] = removed | fields.get("headers", {})
        changed["secret_headers"] = removed | fields.get("secret_headers", {})
    if models:
        changed["model_names"] = dict.fromkeys(models) | fields.get("model_names", {})
    return changed
