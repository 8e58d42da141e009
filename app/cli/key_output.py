"""How commands print a new secret of an API key, and warnings about a key."""

from __future__ import annotations

import click

from app.cli.output import show_json
from app.stores.records.api_keys import ApiKey


def warn(name: str, warnings: list[str]) -> None:
    """Print *warnings* about the key *name* to standard error."""
    for warning in warnings:
        click.echo(f"Warning: key '{name}': {warning}.", err=True)


def show_secret(as_json: bool, key: ApiKey, secret: str, heading: str) -> None:
    """Print *secret* alone, with *heading* on standard error; with --json it is the field `key`."""
    if as_json:
        show_json({"key": secret, **key.public()})
    else:
        click.echo(heading, err=True)
        click.echo(secret)
