"""`poolgate open`: the admin pages in the browser."""

from __future__ import annotations

import os
import sys
import webbrowser

import click

from app.cli.command import Command, example
from app.cli.options import json_option, settings_for
from app.cli.output import show_json
from app.errors import InvalidRequest
from app.supervision.running import running


@click.command("open", cls=Command, epilog=example("poolgate open", "poolgate open --print"))
@click.option("--print", "only_print", is_flag=True, help="Only print the address.")
@json_option
def open_pages(only_print: bool, as_json: bool) -> None:
    """Open the admin pages of the gateway that runs on this machine, and print their address."""
    gateways = running(settings_for(None, os.environ).home)
    addresses = [gateway.pages for gateway in gateways if gateway.pages]
    if not addresses:
        raise InvalidRequest(
            "POOLGATE_ADMIN turns the pages of this gateway off"
            if gateways
            else "No gateway that `poolgate up` has started runs on this machine"
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
