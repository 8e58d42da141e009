"""`poolgate ops`: files for other programs, and re-encryption of credentials."""

from __future__ import annotations

from dataclasses import asdict
from importlib import resources

import click

from app.backup.reseal import Reseal, SealedCounts
from app.cli.command import Group, example
from app.cli.options import actor, with_store
from app.cli.output import REFUSED, show_json
from app.cli.progress import progress
from app.formatting import counted
from app.wiring import Services

FILES = {"grafana": "grafana.json", "alerts": "alerts.yml", "unit": "poolgate.service"}
HELP = {
    "grafana": "Print a Grafana dashboard of the metrics (JSON, to import).",
    "alerts": "Print alert rules for Prometheus.",
    "unit": "Print a systemd unit.",
}


@click.group("ops", cls=Group)
def ops() -> None:
    """Print files for operating Poolgate, and rotate secret keys."""


def _add_printer(name: str, file: str, help_text: str) -> None:
    @ops.command(name, help=help_text, epilog=example(f"poolgate ops {name} > {file}"))
    def show() -> None:
        click.echo((resources.files("app.deployment") / file).read_text(encoding="utf-8"), nl=False)


for _name, _file in FILES.items():
    _add_printer(_name, _file, HELP[_name])


@ops.command("reseal", epilog=example("poolgate ops reseal"))
@with_store
def reseal(services: Services, as_json: bool) -> None:
    """
    Encrypt all stored credentials with the newest of POOLGATE_SECRET_KEYS.

    Requests continue meanwhile. It can be interrupted and run again. Status 1 if an old key is still needed.
    """
    work = Reseal(services.scripts, services.vault, services.pools.names())
    before = work.count()
    with progress("Resealing", before.newest + before.older + len(before.unreadable)) as advance:
        replaced = work.run(advance)
    services.audit.note(actor(), "ops.reseal", "", "", resealed=replaced)
    after = work.count()
    if as_json:
        show_json({"resealed": replaced, **asdict(after)})
    else:
        total = counted(before.newest + before.older, "credential")
        click.echo(f"Encrypted {replaced} of {total} with the newest key.")
        click.echo(_advice(after, services.vault.size), err=True)
    if after.older or after.unreadable:
        raise click.exceptions.Exit(REFUSED)


def _advice(after: SealedCounts, known_keys: int) -> str:
    if after.unreadable:
        names = ", ".join(after.unreadable)
        return f"No key decrypts these. Restore the key that encrypted them, or add them again: {names}"
    if after.older:
        return (
            f"{after.older} were encrypted with an old key meanwhile: restart every process with the new list"
            " of POOLGATE_SECRET_KEYS, then run this again."
        )
    if known_keys == 1:
        return "There is only one key, and every credential is encrypted with it."
    return (
        f"The {known_keys - 1} older keys are no longer needed. Remove them from POOLGATE_SECRET_KEYS"
        " (or secret.key) once every process runs with the new list."
    )
