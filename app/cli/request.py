"""`poolgate request`: single requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from app.cli.common import Group, example, in_pool, with_store
from app.cli.output import moment, show_json, table
from app.office.telling import Names
from app.pool.explain import explain
from app.quotas.search import search
from app.wiring import Services
from schemas.admin import RequestsQuery

CANDIDATES = ("LOOKED AT", "SCORE", "WHY")
ROWS = ("ENDED", "KEY", "ACCOUNT", "MODEL", "STATUS", "INPUT", "OUTPUT", "MS", "ID")
OUT = ("OUT", "STATE", "REASON", "UNTIL")
NEXT = {
    "other": "another account, or the same after a pause",
    "other_only": "another account, never this one",
    "restart": "another account went on, if the key wants that",
    "tell": "the caller was told",
}

Json = dict[str, Any]


@click.group("request", cls=Group)
def request_group() -> None:
    """Requests: what happened to one, and why."""


@request_group.command(
    "explain", epilog=example("poolgate request explain 0b54… # as in x-poolgate-request-id")
)
@click.argument("request_id", metavar="ID")
@in_pool
@with_store
def explain_request(services: Services, as_json: bool, pool: str, request_id: str) -> None:
    """Tell why the request ID went where it went: every choice, and who else was looked at."""
    services.pools.check(pool)
    told = explain(services.scripts.client, pool, request_id)
    if as_json:
        show_json(told)
        return
    ended = f"status {told['status']}" if told["status"] else told["state"]
    error = f" ({told['error']})" if told["error"] else ""
    key = told["key"]["name"] or told["key"]["id"]
    click.echo(f"{told['endpoint']} for {told['model']}, key '{key}', {moment(told['at'])}: {ended}{error}")
    for choice in told["choices"]:
        click.echo("\n" + "\n".join(_lines(choice)))


@request_group.command(
    "list",
    epilog=example(
        "poolgate request list --status failed --since 2026-11-20",
        "poolgate request list --key ann --model gpt-5 --most 200 --json",
    ),
)
@click.option("--key", metavar="NAME", help="Of this API key; or the id of one that was removed.")
@click.option("--account", metavar="NAME", help="Served by this account; or the id of one.")
@click.option("--model", metavar="MODEL", help="For this model.")
@click.option("--status", metavar="STATUS", help="ok, failed, a class such as 5xx, or a number.")
@click.option("--since", metavar="DATE", help="Ended from then on: 2026-11-20, or with a time.")
@click.option("--until", metavar="DATE", help="Ended before.")
@click.option("--most", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Rows.")
@in_pool
@with_store
def list_requests(services: Services, as_json: bool, pool: str, most: int, **said: str | None) -> None:
    """List requests that ended, newest first."""
    services.pools.check(pool)
    names = Names.read(pool, services.api_keys, services.accounts)
    given = {name: text for name, text in said.items() if text is not None}
    wanted = names.wanted(RequestsQuery().load(given))
    rows: list[Json] = []
    cursor = None
    while len(rows) < most:
        page = search(services.scripts.client, pool, wanted, cursor, most - len(rows))
        rows += [names.row(entry_id, row) for entry_id, row in page.rows]
        if (cursor := page.cursor) is None:
            break
    if as_json:
        show_json({"object": "list", "data": rows})
    elif rows:
        click.echo(table(ROWS, [_request(row) for row in rows]))
    else:
        click.echo("There are none.", err=True)


def _request(row: Json) -> tuple[object, ...]:
    who = [row[what]["name"] or row[what]["id"] for what in ("key", "account")]
    tokens = (row.get("input_tokens", 0), row.get("output_tokens", 0))
    return (
        moment(row["ended_at"]), *who, row["model"], row["status"], *tokens, row["total_ms"], row["id"]
    )  # fmt: skip


def _lines(choice: Json) -> Iterator[str]:
    yield _headline(choice)
    if choice["candidates"]:
        yield table(CANDIDATES, [_candidate(one) for one in choice["candidates"]])
    if choice["out"]:
        yield table(OUT, [_out(one) for one in choice["out"]])
    for tried in choice["tries"]:
        yield _outcome(tried)


def _headline(choice: Json) -> str:
    if choice["account"] is None:
        return f"Attempt {choice['attempt']}: nobody was left to ask"
    load = f"{choice['in_flight']} of {choice['cap']} in flight, {choice['spare']:.0%} of its window left"
    ways = {
        "policy": f"by policy {choice['policy']}",
        "affinity": "by affinity, it has this conversation",
        "asked again": "asked again, there is no other",
    }
    return f"Attempt {choice['attempt']}: {_name(choice['account'])}, {ways[choice['by']]}; {load}"


def _candidate(one: Json) -> tuple[object, ...]:
    score = "-" if one["score"] is None else f"{one['score']:.6g}"
    return _name(one["account"]), score, one["why"]


def _out(one: Json) -> tuple[object, ...]:
    until = moment(one["until"]) if one["until"] else "a person brings it back"
    return _name(one["account"]), one["state"], one["reason"], until


def _outcome(tried: Json) -> str:
    if "failure" not in tried:
        return f"It was asked on the {tried['wire']} wire."
    code = f" ({tried['error']})" if tried.get("error") else ""
    return f"It failed: {tried['failure']}{code}; next: {NEXT[tried['action']]}"


def _name(account: Json) -> str:
    return account["name"] or f"{account['id']} (removed)"
