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
from app.accounts.replay import Member, Replay, ReplayResult, Request, Window, requests_from_ledger
from app.cli.command import Command, example
from app.cli.files import read_lines
from app.cli.forms import Form, WrongValue
from app.cli.options import in_pool, with_store
from app.cli.output import show_list, table
from app.cli.progress import progress
from app.cli.replay_chart import draw_chart
from app.formatting import counted
from app.stores import private_server
from app.stores.client import make_client
from app.stores.records.ledger import LedgerEntry
from app.wiring import Services
from schemas import bounds

HEADS = ("POLICY", "REQUESTS", "REFUSED", "AFFINITY HITS", "UNUSED AT RESETS", "SPREAD")
PAGE = 1000
STORE_TIMEOUT_SECONDS = 5.0
MIN_HOURS, MAX_HOURS = 0.01, 24 * 366  # half a minute: in the recorded time, each reset is an event
_WINDOW = re.compile(r"([^=]{1,256})=(\d{1,18})/(\d{1,9}(?:\.\d{1,9})?)h", re.ASCII)

Json = dict[str, Any]


def exported(services: Services, pool: str) -> Iterator[Json]:
    """Yield the input of a replay of *pool*: its accounts, then its ledger entries, oldest first."""
    accounts = services.accounts.all(pool)
    yield {"accounts": [_member_fields(account) for account in accounts]}
    for page in services.ledger.entries.read_all(pool, PAGE):
        for stored in page:
            entry = LedgerEntry.parse(stored)
            yield entry.row | {"settled_ms": entry.position[0]}


def _member_fields(account: Account) -> dict[str, object]:
    fields = {name: getattr(account, name) for name in Member.__slots__ if name != "window"}
    return fields | {"models": account.served_models}


def window(text: str) -> tuple[str, int, float]:
    """Read `main=200000/5h` as (account, tokens, hours). Raises ValueError, WrongValue."""
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError
    tokens, hours = int(match[2]), float(match[3])
    if not 1 <= tokens <= bounds.MAX_TOKENS:
        raise WrongValue(f"must have 1 to {bounds.MAX_TOKENS} tokens")
    if not MIN_HOURS <= hours <= MAX_HOURS:
        raise WrongValue(f"must have a length of {MIN_HOURS} to {MAX_HOURS} hours")
    return match[1], tokens, hours


WINDOW = Form(window, "ACCOUNT=TOKENS/HOURSh such as main=200000/5h")


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
    type=WINDOW,
    multiple=True,
    metavar="ACCOUNT=TOKENS/HOURSh",
    help=f"Tokens that an account has until each reset: {WINDOW}. May be repeated.",
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

    The replay runs on a virtual clock in a separate private server, and does not touch the pool. All accounts
    start with unused windows, and no account fails.
    """
    lines = exported(services, pool) if ledger == "-" else _read(ledger)
    try:
        members = [_member(account, windows) for account in next(lines)["accounts"]]
        requests = requests_from_ledger(lines)
    except (AttributeError, KeyError, OverflowError, StopIteration, TypeError, ValueError):
        raise WrongValue("is not a file of poolgate ledger export", param_hint="LEDGER") from None
    if not requests:
        raise WrongValue("contains no requests", param_hint="LEDGER")
    policies = policies or POLICIES
    with _private_server() as client, progress("Replaying", len(requests) * len(policies)) as advance:
        outcomes = [Replay(client, members, policy).run(requests, advance) for policy in policies]
    names = {member.id: member.name for member in members}
    if as_json:
        show_list([_public(outcome, names) for outcome in outcomes])
    else:
        click.echo(table(HEADS, [_row(outcome, names) for outcome in outcomes]))
    if file is not None:
        file.write_text(_draw(outcomes[-1], requests, names), encoding="utf-8")


def _read(file: str) -> Iterator[Json]:
    yield from map(orjson.loads, read_lines(file))


def _member(fields: Mapping[str, Any], windows: tuple[tuple[str, int, float], ...]) -> Member:
    spans = {name: int(hours * 3_600_000) for name, _, hours in windows}
    tokens = {name: max_tokens for name, max_tokens, _ in windows}
    name = fields["name"]
    window = Window(tokens[name], spans[name], spans[name]) if name in tokens else None
    member = Member(**{**fields, "models": tuple(fields["models"])}, window=window)
    texts = (member.id, member.name, member.kind, member.offer, *member.models)
    numbers = (member.weight, member.cap, member.group)
    if not all(isinstance(text, str) for text in texts) or not all(type(n) is int for n in numbers):
        raise ValueError("an account of another form")
    if not (0 < member.weight <= 10**6 and 0 < member.cap <= 10**6 and abs(member.group) <= 10**6):
        raise ValueError("an account out of range")
    return member


@contextmanager
def _private_server() -> Iterator[Any]:
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        client = make_client(
            private_server.ensure(Path(folder), os.environ.get("REDIS_SERVER", "")), STORE_TIMEOUT_SECONDS
        )
        try:
            yield client
        finally:
            client.close()
            private_server.release(Path(folder))


def _public(outcome: ReplayResult, names: Mapping[str, str]) -> dict[str, object]:
    fields = {name: value for name, value in asdict(outcome).items() if name != "chosen"}
    spread = {names[account]: share for account, share in outcome.spread().items()}
    return {**fields, "requests": len(outcome.chosen), "refused": outcome.refused, "spread": spread}


def _row(outcome: ReplayResult, names: Mapping[str, str]) -> tuple[object, ...]:
    affinity = f"{outcome.same_account_turns / outcome.turns:.1%}" if outcome.turns else "-"
    unused = f"{outcome.lapsed_tokens / outcome.offered_tokens:.1%}" if outcome.offered_tokens else "-"
    shares = sorted((names[account], share) for account, share in outcome.spread().items())
    spread = ", ".join(f"{name} {share:.0%}" for name, share in shares)
    return outcome.policy, len(outcome.chosen), outcome.refused, affinity, unused, spread


def _draw(outcome: ReplayResult, requests: list[Request], names: Mapping[str, str]) -> str:
    title = f"{outcome.policy}: {counted(len(requests), 'request')}, {outcome.refused} refused"
    return draw_chart(title, [request.at_ms for request in requests], outcome.chosen, names)
