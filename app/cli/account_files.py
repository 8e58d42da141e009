"""Import the accounts in many files, and export all sign-ins of a pool to one file."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click
import orjson

from app.accounts.sign_in_files import Item, RejectedItem, read_sign_ins
from app.cli.files import new_file, read_file
from app.cli.options import operations
from app.cli.output import printable, show_json, show_list
from app.errors import InvalidRequest
from app.formatting import counted
from app.operations.account_import import ImportOutcome, ImportResult
from app.wiring import Services

MAX_FILE_BYTES = 1024 * 1024  # a sign-in has about 5 kB
MAX_FILES = 1000
STDIN = "-"


def import_files(
    services: Services, as_json: bool, pool: str, paths: Sequence[str]
) -> Counter[ImportOutcome]:
    """
    Import the accounts in *paths*, files and directories, into *pool*; report each, and return the counts.

    Raises InvalidRequest if there is no file, or too many.
    """
    importer = operations(services).account_import
    outcomes: Counter[ImportOutcome] = Counter()
    reports = []
    for path, is_file in _files_in(paths):
        for item in _items_of(path) if is_file else [RejectedItem("not a file")]:
            result = importer.import_item(pool, item, Path(path).stem if path != STDIN else "")
            outcomes[result.outcome] += 1
            if as_json:
                reports.append({"file": path, **result.public()})
            else:
                _show(path, result)
    if not outcomes:
        raise InvalidRequest(f"{paths[0]}: no *.json file in it", param="files")
    if as_json:
        show_list(reports)
    else:
        counts = [f"{outcomes[outcome]} {outcome}" for outcome in ImportOutcome if outcomes[outcome]]
        click.echo(f"Pool '{pool}': {', '.join(counts)}.")
    return outcomes


def export_all(services: Services, as_json: bool, pool: str, path: Path) -> None:
    """Write all sign-ins of *pool* to the new file *path*, or print them if it is `-`."""
    services.pools.check(pool)
    if str(path) != STDIN and path.exists():
        raise click.UsageError(f"'{path}' already exists")
    accounts = services.accounts.all(pool)
    signed_in = [account.name for account in accounts if account.signed_in]
    exporter = operations(services).sign_ins
    with _output(path) as out:
        files = [orjson.loads(exporter.export_auth_json(pool, name)) for name in signed_in]
        named = [{"name": name, **file} for name, file in zip(signed_in, files, strict=True)]
        out.write(orjson.dumps({"accounts": named}, option=orjson.OPT_INDENT_2) + b"\n")
    if str(path) != STDIN and as_json:
        show_json({"file": str(path), "accounts": signed_in})
    elif str(path) != STDIN:
        click.echo(f"Wrote {counted(len(signed_in), 'sign-in')} of pool '{pool}' to {path}.")
    if len(signed_in) < len(accounts):
        left = counted(
            len(accounts) - len(signed_in),
            "account without a sign-in was",
            "accounts without a sign-in were",
        )
        click.echo(f"{left} left out: see poolgate backup --help", err=True)


@contextmanager
def _output(path: Path) -> Iterator[IO[bytes]]:
    if str(path) == STDIN:
        yield sys.stdout.buffer
    else:
        with new_file(path) as out:
            yield out


def _files_in(paths: Sequence[str]) -> list[tuple[str, bool]]:
    """Return each file of *paths*, and each *.json of its directories, with whether it is a regular file."""
    files: list[tuple[str, bool]] = []
    for path in paths:
        if path != STDIN and os.path.isdir(path):
            files += sorted(_files_of_directory(path))
        else:
            files.append((path, True))
        if len(files) > MAX_FILES:
            raise InvalidRequest(f"{path}: more than {MAX_FILES} files at once", param="files")
    return files


def _files_of_directory(path: str) -> Iterator[tuple[str, bool]]:
    """Yield at most MAX_FILES + 1 files; links are followed, since mounted secrets are links."""
    number = 0
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.endswith(".json") and not entry.name.startswith("."):
                yield entry.path, entry.is_file()
                number += 1
                if number > MAX_FILES:
                    return


def _items_of(path: str) -> Sequence[Item]:
    try:
        return read_sign_ins(read_file(path, MAX_FILE_BYTES))
    except InvalidRequest as error:
        return [RejectedItem(error.message.removeprefix(f"{path}: "))]
    except OSError as error:
        return [RejectedItem(str(error.strerror))]


def _show(path: str, result: ImportResult) -> None:
    detail = f": {result.detail}" if result.detail else ""
    name = f" '{result.name}'" if result.name else ""
    line = f"{'standard input' if path == STDIN else path}: {result.outcome}{name}{detail}"
    click.echo(printable(line), err=result.outcome is ImportOutcome.FAILED)
