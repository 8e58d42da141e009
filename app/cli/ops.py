"""`poolgate ops`: what those who run it put into other programs."""

from __future__ import annotations

from importlib import resources

import click

FILES = {"grafana": "grafana.json", "alerts": "alerts.yml", "unit": "poolgate.service"}


@click.command()
@click.argument("what", type=click.Choice(list(FILES)))
def ops(what: str) -> None:
    """
    Print a file for another program.

    `grafana` is a dashboard (JSON, to import), `alerts` are rules for Prometheus, `unit` is one of systemd.
    """
    click.echo((resources.files("app.ops") / FILES[what]).read_text(), nl=False)
