"""`poolgate import`: the configuration of other gateways."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from app.cli.command import Group, example
from app.cli.files import read_file
from app.cli.import_codex_lb import import_codex_lb
from app.cli.options import in_pool, with_store
from app.cli.output import printable
from app.cli.setup import Source, apply_document
from app.cli.yaml_files import read_yaml
from app.errors import InvalidRequest
from app.operations.setup.litellm import Converted, convert_litellm
from app.operations.setup.yaml_text import write_yaml
from app.wiring import Services

MAX_JSON_BYTES = 16 * 1024 * 1024  # thousands of keys
MAX_INCLUDED = 20  # files in total


@click.group("import", cls=Group)
def import_group() -> None:
    """Import the configuration of another gateway."""


import_group.add_command(import_codex_lb)


@import_group.command(
    "litellm",
    epilog=example(
        "poolgate import litellm config.yaml --dry-run",
        "poolgate import litellm config.yaml --print > setup.yaml",
        "poolgate import litellm config.yaml --keys keys.json --teams teams.json",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--print", "only_print", is_flag=True, help="Print the document for `poolgate apply`, and change nothing."
)
@click.option(
    "--keys",
    "keys_file",
    type=click.Path(exists=True, allow_dash=True, dir_okay=False),
    metavar="JSON",
    help="Also import the API keys in this file, the response of GET /key/list?return_full_object=true.",
)
@click.option(
    "--teams",
    "teams_file",
    type=click.Path(exists=True, dir_okay=False),
    metavar="JSON",
    help="Also import the teams in this file, the response of GET /team/list.",
)
@in_pool
@with_store
def import_litellm(
    services: Services,
    as_json: bool,
    pool: str,
    file: str,
    dry_run: bool,
    only_print: bool,
    **lists: str | None,
) -> None:
    """
    Import LiteLLM's config.yaml FILE: its deployments as accounts, its model groups as model routes.

    Aliases, weights, orders and fallbacks become parts of routes. Prices of models and the budget are
    imported, too. Each part that cannot be imported is reported on standard error. A second import changes
    nothing.

    Keys of upstreams are read from the variables that FILE names as os.environ/NAME. API keys of callers are
    in LiteLLM's database, as SHA-256: with --keys they stay valid, in the pool default.
    """
    converted = _convert(file, **{name: _read_json(path) for name, path in lists.items()})
    if not as_json:
        for remark in converted.remarks:
            click.echo(printable(str(remark)), err=True)
    if only_print:
        click.echo(write_yaml(converted.document), nl=False)
        return
    if "accounts" not in converted.document:
        raise InvalidRequest(f"{file}: no deployment can be imported", param="file")
    remarks = {"remarks": [remark.public() for remark in converted.remarks]}
    source = Source(file, converted.document, converted.secrets, remarks)
    apply_document(services, as_json, pool, source, dry_run=dry_run)


def _convert(file: str, keys_file: Any = None, teams_file: Any = None) -> Converted:
    try:
        return convert_litellm(_read_with_included(file), os.environ, keys=keys_file, teams=teams_file)
    except InvalidRequest as error:
        message = error.message if error.message.startswith(file) else f"{file}: {error.message}"
        raise InvalidRequest(message, param=error.param) from None


def _read_json(path: str | None) -> Any:
    """Return the content of the JSON file *path*, None without a path. Raises InvalidRequest, OSError."""
    if path is None:
        return None
    try:
        return orjson.loads(read_file(path, MAX_JSON_BYTES))
    except orjson.JSONDecodeError:
        raise InvalidRequest(f"{path}: not JSON", param="file") from None


def _read_with_included(file: str) -> Any:
    """Return the content of *file*, merged with the files that it includes."""
    content = read_yaml(file)
    if not isinstance(content, dict):
        return content
    merged: dict[str, Any] = dict(content)
    pending = _included(content, file)
    for number, path in enumerate(pending):  # grows in the loop
        if number >= MAX_INCLUDED:
            raise InvalidRequest(f"{file}: more than {MAX_INCLUDED} included files", param="include")
        included = read_yaml(path)
        if isinstance(included, dict):
            pending += _included(included, path)
            _merge(merged, included)
    return merged


def _included(content: Mapping[str, Any], file: str) -> list[str]:
    names: Sequence[Any] = content["include"] if isinstance(content.get("include"), list) else ()
    return [str(Path(file).parent / name) for name in names if isinstance(name, str)]


def _merge(merged: dict[str, Any], included: Mapping[str, Any]) -> None:
    for name, value in included.items():
        if isinstance(value, list) and isinstance(merged.get(name), list):
            merged[name] = [*merged[name], *value]
        elif name != "include":
            merged[name] = value
