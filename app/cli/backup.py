"""`poolgate backup` and `poolgate restore`: an installation in one encrypted file."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from app.accounts.kinds import SCRIPT_KINDS
from app.backup.encrypted_file import EncryptedWriter
from app.backup.export import Backup
from app.backup.restore import BackupFile, Contents, Restore, Restored
from app.cli.command import Command, example
from app.cli.files import new_file, open_file
from app.cli.options import actor, pool_name, read_secret, with_store
from app.cli.output import REFUSED, show_json, table
from app.cli.progress import progress
from app.cli.prompts import confirm_always, is_terminal, type_secret
from app.config import package_version
from app.errors import InvalidRequest, NotFound
from app.formatting import counted
from app.stores import keys
from app.stores.client import make_client
from app.stores.scripts import Scripts
from app.wiring import Services

STEP_TIMEOUT_SECONDS = 60.0  # a step of a large pool can take seconds
MIN_PASSPHRASE = 12
INSTALLATION_LABEL = "operators and audit log"
HEADS = ("POOL", "ACCOUNTS", "KEYS", "LEDGER ENTRIES", "RUNNING REQUESTS")
COUNTS = ("accounts", "keys", "rows", "open")

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
passphrase_option = click.option(
    "--passphrase-env",
    "variable",
    metavar="VARIABLE",
    help="Environment variable that holds the passphrase; prompted for by default.",
)
pool_option = click.option(
    "--pool", type=pool_name, metavar="POOL", help="Only this pool; everything by default."
)


@click.command(
    "backup",
    cls=Command,
    epilog=example("poolgate backup poolgate-monday.pgb --passphrase-env BACKUP_PASSPHRASE"),
)
@file_argument
@passphrase_option
@pool_option
@with_store
def backup(services: Services, as_json: bool, file: Path, variable: str | None, pool: str | None) -> None:
    """
    Write accounts, keys, settings, prices, limits, operators and ledgers to the new FILE.

    Requests may run meanwhile. FILE and its passphrase give access to every credential in it.
    """
    if file.exists():
        raise click.UsageError(f"'{file}' already exists")
    scripts = _with_long_timeout(services)
    pools = [*services.pools.names(), keys.SYSTEM]
    if pool is not None:
        services.pools.check(pool)
        pools = [pool]
    passphrase = _new_passphrase(variable)
    rows = sum(services.ledger.entries.count(name) for name in pools)
    with progress("Backing up", rows) as advance, new_file(file) as out:
        sealed = EncryptedWriter(out, passphrase)
        written = Backup(scripts, services.vault, secrets.token_hex(8), advance)
        for line in written.lines(pools, f"poolgate {package_version()}"):
            sealed.write(line)
        sealed.close()
    services.audit.note(actor(), "backup.write", pool or "", file.name)
    size = file.stat().st_size
    if as_json:
        show_json(
            {
                "file": str(file),
                "bytes": size,
                "pools": _public(written.pools),
                "unreadable": written.unreadable,
            }
        )
    else:
        click.echo(table(HEADS, _rows(written.pools)))
        click.echo(f"Wrote {file}, {size / 1e6:.1f} MB.", err=True)
    for name in written.unreadable:
        click.echo(
            f"The credential of {name} is encrypted with another key and was copied as it is.", err=True
        )


@click.command(
    "restore",
    cls=Command,
    epilog=example("poolgate restore poolgate-monday.pgb --passphrase-env BACKUP_PASSPHRASE"),
)
@file_argument
@passphrase_option
@pool_option
@click.option("--replace", is_flag=True, help="Replace existing data.")
@click.option("--yes", is_flag=True, help="Replace data without a confirmation.")
@with_store
def restore(
    services: Services,
    as_json: bool,
    file: Path,
    variable: str | None,
    pool: str | None,
    replace: bool,
    yes: bool,
) -> None:
    """
    Restore FILE and verify the ledgers. An interrupted restore can simply be run again.

    Requests that were running at the time of the backup are charged what they had reserved. An account whose
    sign-in was refreshed since the backup may have to sign in again.
    """
    with open_file(str(file)) as opened:  # before prompting for the passphrase
        if not opened.seekable():
            raise InvalidRequest(f"{file}: not a file, but a pipe; it is read more than once", param="file")
    backup_file = BackupFile(file, _passphrase(variable))
    with progress("Checking", backup_file.size()) as advance:
        contents = backup_file.contents(advance)
    for warning in backup_file.warnings:
        click.echo(f"Warning: {warning}", err=True)
    pools = _chosen_pools(contents, pool)
    restoration = Restore(_with_long_timeout(services), services.vault)
    replaced = restoration.find_replaced(contents, pools, replace=replace)
    if replaced and not replace:
        raise InvalidRequest(f"{_describe_data(replaced)}; use --replace to replace it", param="file")
    if replaced and not yes:
        confirm_always(f"{_describe_data(replaced)}. Replace it?")
    with progress("Restoring", backup_file.size()) as advance:
        done = restoration.run(backup_file, contents, pools, replace=replace, progress=advance)
    for restored in done:
        if not restored.again:
            name = "" if restored.name == keys.SYSTEM else restored.name
            services.audit.note(actor(), "backup.restore", name, file.name, made_at=contents.at)
    _report(contents, done, as_json)
    if any(restored.differences for restored in done):
        raise click.exceptions.Exit(REFUSED)


def _report(contents: Contents, done: Sequence[Restored], as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "pools": _public({restored.name: contents.pools[restored.name] for restored in done}),
                "again": [_label(restored.name) for restored in done if restored.again],
                "balanced": not any(restored.differences for restored in done),
            }
        )
        return
    click.echo(table(HEADS, _rows({restored.name: contents.pools[restored.name] for restored in done})))
    for restored in done:
        if restored.again:
            click.echo(f"{_label(restored.name)}: restored already, unchanged.", err=True)
        elif restored.differences:
            pool = "" if restored.name == "default" else f" --pool {restored.name}"
            differences = counted(len(restored.differences), "total differs", "totals differ")
            note = f"{differences}: see poolgate ledger verify{pool}"
            click.echo(f"{restored.name}: {note}.", err=True)
        elif restored.name != keys.SYSTEM:
            click.echo(f"{restored.name}: the ledger balances.", err=True)


def _chosen_pools(contents: Contents, pool: str | None) -> list[str]:
    if pool is not None and pool not in contents.pools:
        raise NotFound(f"This backup contains no pool '{pool}'", param="pool")
    return [pool] if pool is not None else list(contents.pools)


def _describe_data(replaced: dict[str, dict[str, int]]) -> str:
    parts = [
        f"{_label(pool)} ({', '.join(_counted(count, name) for name, count in counts.items())})"
        for pool, counts in replaced.items()
    ]
    return f"Not empty: {', '.join(parts)}"


def _counted(number: int, plural: str) -> str:
    """Return *number* with its noun, given in the *plural*: `1 key`, `2 ledger entries`."""
    return counted(number, re.sub("ies$", "y", plural).removesuffix("s"), plural)


def _label(pool: str) -> str:
    return INSTALLATION_LABEL if pool == keys.SYSTEM else pool


def _rows(pools: dict[str, dict[str, int]]) -> list[tuple[object, ...]]:
    return [
        (name, *(counts[figure] for figure in COUNTS))
        for name, counts in pools.items()
        if name != keys.SYSTEM
    ]


def _public(pools: dict[str, dict[str, int]]) -> list[dict[str, object]]:
    return [{"name": name, **counts} for name, counts in pools.items() if name != keys.SYSTEM]


def _with_long_timeout(services: Services) -> Scripts:
    scripts = Scripts(make_client(services.settings.redis_url, STEP_TIMEOUT_SECONDS), kinds=SCRIPT_KINDS)
    return click.get_current_context().with_resource(closing(scripts))


def _new_passphrase(variable: str | None) -> str:
    passphrase = _passphrase(variable, twice=True)
    if len(passphrase) < MIN_PASSPHRASE:
        raise click.UsageError(f"A passphrase must have at least {MIN_PASSPHRASE} characters")
    return passphrase


def _passphrase(variable: str | None, *, twice: bool = False) -> str:
    if variable is None and is_terminal():
        repeat = "Repeat the passphrase" if twice else ""
        return type_secret("Passphrase", repeat).strip()  # like one from a variable
    if variable is None:
        raise click.UsageError("Give --passphrase-env: there is no terminal to prompt for the passphrase")
    return read_secret("passphrase", variable, False)
