"""`poolgate open`: the admin pages in the browser."""

from __future__ import annotations

import os
import sys
import webbrowser

import click

from app.cli.command import Command, example
from app.cli.gateways import NONE_RUNS, START_ONE, find_gateways
from app.cli.options import json_option, settings_for
from app.cli.output import show_json
from app.errors import InvalidRequest


@click.command("open", cls=Command, epilog=example("poolgate open", "poolgate open --print"))
@click.option("--print", "only_print", is_flag=True, help="Only print the address.")
@json_option
def open_pages(only_print: bool, as_json: bool) -> None:
    """Open the admin pages of the gateway that runs on this machine, and print their address."""
    gateways = find_gateways(settings_for(None, os.environ))
    addresses = [one.gateway.pages for one in gateways if one.gateway.pages]
    if not addresses:
        raise InvalidRequest(
            "POOLGATE_ADMIN turns the pages of this gateway off"
            if gateways
            else f"{NONE_RUNS.capitalize()}: {START_ONE}"
        )
    opened = not only_print and has_browser() and webbrowser.open(addresses[0])
    if as_json:
        show_json({"url": addresses[0], "opened": opened})
    else:
        click.echo(addresses[0])


def has_browser() -> bool:
    """Return whether this machine has a display: a text browser would take over the terminal."""
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return sys.platform == "darwin" or has_display
