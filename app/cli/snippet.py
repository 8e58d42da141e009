"""`poolgate snippet`: the configuration of a client, for this gateway."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from app.cli.command import Command, example
from app.cli.forms import WrongValue
from app.cli.gateways import NONE_RUNS, api_url, find_gateways
from app.cli.options import in_pool, with_store
from app.cli.output import show_json
from app.config import Settings
from app.operations.account_check import example_model
from app.presentation.snippets import CLIENTS, VARIABLE, snippets
from app.wiring import Services

NO_MODEL = "gpt-5.2"
MAX_URL_CHARS = 500

url_option = click.option(
    "--url",
    default="",
    metavar="URL",
    help="Base URL of the gateway, which ends in /v1; by default that of `poolgate up` on this machine.",
)


def running_url(settings: Settings) -> str | None:
    """Return the base URL of the gateway that runs here, None where none does."""
    return next((one.gateway.url for one in find_gateways(settings)), None)


def checked_url(url: str) -> str:
    """Return *url* without a slash at its end. Raises WrongValue for one that cannot be a base URL."""
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or len(url) > MAX_URL_CHARS or any(letter in url for letter in " \"'\\$`"):
        raise WrongValue("must be like https://gateway.example.com/v1", param_hint="--url")
    return url.rstrip("/")


@click.command(
    "snippet",
    cls=Command,
    epilog=example(
        "poolgate snippet codex >> ~/.codex/config.toml",
        "poolgate snippet python --model gpt-5 --url https://gateway.example.com/v1",
    ),
    help=f"""
    Print the configuration of CLIENT for this gateway; where it belongs goes to standard error.

    CLIENT is one of {", ".join(CLIENTS)}. It never contains a key: clients read {VARIABLE}.
    """,
)
@click.argument("client", type=click.Choice(CLIENTS), metavar="CLIENT")
@click.option("--model", default="", metavar="MODEL", help="The model; by default one that an account lists.")
@url_option
@in_pool
@with_store
def snippet(services: Services, as_json: bool, pool: str, client: str, model: str, url: str) -> None:
    """Print the snippet of *client*."""
    base_url = checked_url(url) if url else running_url(services.settings)
    if base_url is None:
        base_url = api_url(services.settings)
        click.echo(f"Warning: {NONE_RUNS}; {base_url} is where `poolgate up` would. See --url.", err=True)
    model = model or example_model(services.accounts.all(pool)) or NO_MODEL
    (chosen,) = (one for one in snippets(base_url, model) if one.client == client)
    if as_json:
        show_json({"client": client, "where": chosen.where, "text": chosen.text})
        return
    click.echo(f"{chosen.name}: for {chosen.where}", err=True)
    click.echo(chosen.text)
