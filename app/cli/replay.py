"""`poolgate replay`: run recorded traffic under other routing policies."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import orjson

from app.accounts.account import Account
from app.accounts.pools import POLICIES
from app.accounts.replay import Member, Outcome, Replay, Request, Window, recorded
from app.cli.options import Command, example, in_pool, with_store
from app.cli.output import show_list, table
from app.cli.progress import progress
from app.cli.replay_chart import picture
from app.stores import keys, private_server
from app.stores.client import make_client, store_errors
from app.wiring import Services

HEADS = ("POLICY", "REQUESTS", "REFUSED", "AFFINITY HITS", "UNUSED AT RESETS", "SPREAD")
PAGE = 1000
PATIENCE_SECONDS = 5.0
_WINDOW = re.compile(r"([^=]+)=(\d+)/(\d+(?:\.\d+)?)h")

Json = dict[str, Any]


def exported(services: Services, pool: str) -> Iterator[Json]:
    """Yield what a replay needs of *pool*: its accounts, then its ledger rows, oldest first."""
    accounts = services.accounts.all(pool)
    yield {"accounts": [_taking_part(account) for account in accounts]}
    last = "-"
    while True:
        with store_errors():
            entries = services.scripts.client.xrange(keys.ledger(pool), last, "+", count=PAGE)
        for entry_id, fields in entries:
            yield orjson.loads(fields["row"]) | {"settled_ms": int(entry_id.partition("-")[0])}
        if len(entries) < PAGE:
            return
        last = f"({entries[-1][0]}"


def _taking_part(account: Account) -> Json:
    return {name: getattr(account, name) for name in Member.__slots__ if name != "window"}


def window(text: str) -> tuple[str, int, float]:
    """Read `main=200000/5h`: the account called main has so many tokens every five hours."""
    found = _WINDOW.fullmatch(text)
    if found is None or not int(found[2]) or not float(found[3]):
        raise click.BadParameter("must be like main=200000/5h")
    return found[1], int(found[2]), float(found[3])


@click.command(
    "replay",
    cls=Command,
    epilog=example(
        "poolgate replay - --policy round_robin --policy use_before_reset --window main=200000/5h",
        "poolgate ledger export > traffic.jsonl; poolgate replay traffic.jsonl --picture week.svg",
    ),
)
@click.argument("ledger")
@click.option(
    "--policy",
    "policies",
    type=click.Choice(POLICIES),
    multiple=True,
    help="Policy to run; may be repeated. All by default.",
)
@click.option(
    "--window",
    "windows",
    type=window,
    multiple=True,
    metavar="ACCOUNT=TOKENS/HOURSh",
    help="Tokens an account has until each reset; may be repeated.",
)
@click.option(
    "--picture",
    "file",
    type=click.Path(path_type=Path),
    help="Write a chart of the last policy's run to this SVG file.",
)
@in_pool
@with_store
def replay(
    services: Services,
    as_json: bool,
    pool: str,
    ledger: str,
    policies: tuple[str, ...],
    windows: tuple[tuple[str, int, float], ...],
    file: Path | None,
) -> None:
    """
    Replay the traffic in LEDGER, a file of `poolgate ledger export` or `-` for the pool's own.

    It runs on a virtual clock in a separate private server and does not touch the pool. All accounts
    start with unused windows, and none fails.
    """
    lines = exported(services, pool) if ledger == "-" else _read(Path(ledger))
    try:
        members = [_member(one, windows) for one in next(lines)["accounts"]]
        requests = recorded(lines)
    except (ValueError, KeyError, TypeError, StopIteration):
        raise click.UsageError("LEDGER is not a file of poolgate ledger export") from None
    if not requests:
        raise click.UsageError("LEDGER contains no requests")
    policies = policies or POLICIES
    with _private_server() as client, progress("Replaying", len(requests) * len(policies)) as told:
        outcomes = [Replay(client, members, policy).run(requests, told) for policy in policies]
    names = {member.id: member.name for member in members}
    if as_json:
        show_list([_public(one, names) for one in outcomes])
    else:
        click.echo(table(HEADS, [_row(one, names) for one in outcomes]))
    if file is not None:
        file.write_text(_drawn(outcomes[-1], requests, names))


def _read(file: Path) -> Iterator[Json]:
    with file.open("rb") as lines:
        yield from map(orjson.loads, lines)


def _member(told: Mapping[str, Any], windows: tuple[tuple[str, int, float], ...]) -> Member:
    spans = {name: int(hours * 3_600_000) for name, _, hours in windows}
    tokens = {name: most for name, most, _ in windows}
    name = told["name"]
    mine = Window(tokens[name], spans[name], spans[name]) if name in tokens else None
    return Member(**{**told, "models": tuple(told["models"])}, window=mine)


@contextmanager
def _private_server() -> Iterator[Any]:
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        client = make_client(
            private_server.ensure(Path(folder), os.environ.get("REDIS_SERVER", "")), PATIENCE_SECONDS
        )
        try:
            yield client
        finally:
            client.close()
            private_server.leave(Path(folder))


def _public(outcome: Outcome, names: Mapping[str, str]) -> Json:
    told = {name: value for name, value in asdict(outcome).items() if name != "chosen"}
    spread = {names[account]: share for account, share in outcome.spread().items()}
    return {**told, "requests": len(outcome.chosen), "refused": outcome.refused, "spread": spread}


def _row(outcome: Outcome, names: Mapping[str, str]) -> tuple[object, ...]:
    kept = f"{outcome.kept / outcome.turns:.1%}" if outcome.turns else "-"
    left = f"{outcome.lapsed_tokens / outcome.offered_tokens:.1%}" if outcome.offered_tokens else "-"
    shares = sorted((names[account], share) for account, share in outcome.spread().items())
    spread = ", ".join(f"{name} {share:.0%}" for name, share in shares)
    return outcome.policy, len(outcome.chosen), outcome.refused, kept, left, spread


def _drawn(outcome: Outcome, requests: list[Request], names: Mapping[str, str]) -> str:
    title = f"{outcome.policy}: {len(requests)} requests, {outcome.refused} refused"
    return picture(title, [one.at_ms for one in requests], outcome.chosen, names)
