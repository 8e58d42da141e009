"""`poolgate import codex-lb`: its sign-ins, model sources and API keys."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from app.accounts.kinds import SIGN_IN_KIND
from app.accounts.sign_in_files import FoundAccount
from app.cli.codex_lb_files import KEY, is_in_use, read_cipher, read_tables
from app.cli.command import Command, example
from app.cli.options import in_pool, operations, with_store
from app.cli.output import REFUSED, printable
from app.cli.setup import Source, apply_document
from app.errors import InvalidRequest
from app.operations.account_import import ImportJson, ImportOutcome, ImportResult
from app.operations.setup.codex_lb import CodexLb, SignIn
from app.operations.setup.remarks import Remarks
from app.operations.setup.yaml_text import write_yaml
from app.stores.records.api_keys import FOREIGN_POOL
from app.wiring import Services

STOP_NOTICE = (
    "Stop codex-lb before the import and leave it stopped: only one program may use a sign-in, because a "
    "token refresh by one invalidates it for the others."
)
IN_USE = "codex-lb is running, or was not stopped cleanly: the data that it has written so far is imported."


def _default_folder() -> str:
    return os.environ.get("CODEX_LB_DATA_DIR") or str(Path.home() / ".codex-lb")


@click.command(
    "codex-lb",
    cls=Command,
    epilog=example(
        "poolgate import codex-lb --dry-run",
        "poolgate import codex-lb /var/lib/codex-lb",
        "poolgate import codex-lb --print > setup.yaml",
    ),
)
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--print",
    "only_print",
    is_flag=True,
    help="Print the document for `poolgate apply`, without secrets, and change nothing.",
)
@in_pool
@with_store
def import_codex_lb(
    services: Services, as_json: bool, pool: str, folder: Path | None, dry_run: bool, only_print: bool
) -> None:
    """
    Import codex-lb's data FOLDER: its sign-ins and model sources as accounts, and its API keys.

    FOLDER has store.db and encryption.key; the default is $CODEX_LB_DATA_DIR or ~/.codex-lb. Stop codex-lb
    first, and leave it stopped: only one program may use a sign-in.

    Callers can use their API keys, with models, limits and expiry, in the pool default. A key that would be
    allowed more than before is left out. Each part that cannot be imported is reported on standard error. A
    second import changes nothing.
    """
    folder = folder or Path(_default_folder())
    remarks = Remarks()
    codex_lb = _read(folder, remarks)
    sign_ins = _SignIns(services, pool, codex_lb.sign_ins())
    document = codex_lb.document(sign_ins.names, takes_keys=pool == FOREIGN_POOL)
    if not as_json:
        for line in (STOP_NOTICE, *([IN_USE] if is_in_use(folder) else ()), *remarks.all()):
            click.echo(printable(str(line)), err=True)
    if only_print:
        document["accounts"] = [*sign_ins.entries(), *document.get("accounts", ())]
        click.echo(write_yaml(document), nl=False)
        return
    extra = {"remarks": [remark.public() for remark in remarks.all()], "sign_ins": sign_ins.reports}
    coming = set(sign_ins.names.values())
    source = Source(str(folder), document, codex_lb.secrets, extra, coming)
    prepare = partial(sign_ins.take, as_json=as_json, dry_run=dry_run)
    apply_document(services, as_json, pool, source, dry_run=dry_run, prepare=prepare)
    if any(report["outcome"] is ImportOutcome.FAILED for report in sign_ins.reports):
        raise click.exceptions.Exit(REFUSED)


def _read(folder: Path, remarks: Remarks) -> CodexLb:
    """Read *folder*. Raises InvalidRequest, OSError."""
    codex_lb = CodexLb(read_tables(folder), read_cipher(folder), remarks)
    try:
        codex_lb.check_cipher()
    except InvalidRequest as error:
        raise InvalidRequest(f"{folder / KEY}: {error.message}", param="folder") from None
    return codex_lb


class _SignIns:
    """
    The import of *sign_ins* into *pool*.

    `names` are their account names there, by the ids of their rows; `reports` are the results.
    """

    def __init__(self, services: Services, pool: str, sign_ins: Sequence[SignIn]) -> None:
        self._importer = operations(services).account_import
        self._pool = pool
        self._planned: list[tuple[SignIn, ImportResult]] = []
        self.names: dict[Any, str] = {}
        self.reports: list[ImportJson] = []
        promised: set[str] = set()
        for sign_in in sign_ins:
            preview = self._importer.preview_sign_in(pool, sign_in.name, sign_in.tokens, promised)
            promised.add(preview.name)
            self._planned.append((sign_in, preview))
            if preview.outcome is not ImportOutcome.FAILED:
                self.names |= dict.fromkeys(sign_in.rows, preview.name)

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries of a document for the accounts of the sign-ins."""
        return [{"name": name, "kind": SIGN_IN_KIND} for name in dict.fromkeys(self.names.values())]

    def take(self, *, as_json: bool, dry_run: bool) -> None:
        """Import every sign-in, or nothing in a *dry_run*, and report the results."""
        for sign_in, preview in self._planned:
            result = preview
            if preview.outcome is not ImportOutcome.FAILED and not dry_run:
                found = FoundAccount(preview.name, sign_in.tokens, is_disabled=sign_in.is_paused)
                result = self._importer.import_item(self._pool, found, preview.name)
            self.reports.append(result.public())
            if not as_json:
                _show(result, dry_run=dry_run)


def _show(result: ImportResult, *, dry_run: bool) -> None:
    is_failed = result.outcome is ImportOutcome.FAILED
    would = "would be " if dry_run and not is_failed else ""
    detail = f": {result.detail}" if result.detail else ""
    click.echo(printable(f"sign-in '{result.name}' {would}{result.outcome}{detail}"), err=is_failed)
