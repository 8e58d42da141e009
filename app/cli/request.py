"""`poolgate request`: list and explain requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Any

import click

from app.cli.clock import moment, utc_option
from app.cli.command import Group, example
from app.cli.listing import listing, show_table
from app.cli.options import in_pool, key_filters, with_store
from app.cli.output import Figure, amount, pairs, show_json, show_list, table, wrong_call
from app.cli.times import moment_of, time_option
from app.formatting import milliseconds, name_or_id
from app.ledger.choices import Candidate, Choice, Unavailable
from app.ledger.explain import RequestExplanation
from app.ledger.query import STATUS_FORMS, LedgerQuery
from app.presentation.accounts import candidate_label, endless_label, reason_label, state_label
from app.presentation.names import Names
from app.presentation.request_usage import cost_text, tokens_text
from app.presentation.requests import (
    RequestView,
    ledger_query,
    passed_over_text,
    request_views,
    serialize_entries,
)
from app.stores.records.ledger import LedgerEntry
from app.suggestions import suggestion
from app.wiring import Services
from schemas.admin import MAX_MINIMUM, RequestsQuery

CANDIDATES = ("CANDIDATE", "SCORE", "RESULT")
ROWS = ("ENDED", "KEY", "ACCOUNT", "MODEL", "STATUS", "ERROR", "INPUT", "OUTPUT", "MS", "ID")
OUT = ("UNAVAILABLE", "STATE", "REASON", "UNTIL")


@click.group("request", cls=Group)
def request_group() -> None:
    """List requests, and explain what happened to one and why."""


@request_group.command(
    "explain", epilog=example("poolgate request explain 0b54… # as in x-poolgate-request-id")
)
@click.argument("request_id", metavar="ID")
@utc_option
@in_pool
@with_store
def explain_request(services: Services, as_json: bool, pool: str, request_id: str) -> None:
    """
    Explain the request ID: which account was chosen, why others were not, and what the caller received.

    Also explains refused requests whose details are stored: of a pool the newest 500, of a second a few.
    """
    services.pools.check(pool)
    explanation = services.ledger.explainer.explain(pool, request_id)
    if as_json:
        show_json(explanation)
        return
    click.echo(f"{_heading(explanation)}\n{explanation['outcome']}")
    if explanation["queued_ms"] is not None:
        click.echo(f"It waited {explanation['queued_ms'] / 1000:.1f} s for an account.")
    for passed in explanation["passed_over"]:
        click.echo(passed_over_text(passed))
    if usage := explanation["usage"]:
        click.echo(pairs(_usage_facts(usage)))
    if explanation["charged"]:
        click.echo(explanation["charged"])
    for choice in explanation["choices"]:
        click.echo("\n" + "\n".join(_lines(choice)))
    if any(choice["candidates"] for choice in explanation["choices"]):
        click.echo("\nThe candidate with the lowest score is chosen. Scores are from the time of the choice.")


@request_group.command(
    "list",
    epilog=example(
        "poolgate request list --status failed --since 2026-11-20",
        "poolgate request list --key ann --since '2 hours ago'",
        "poolgate request list --refused --key ann",
        "poolgate request list --team research --status failed",
        "poolgate request list --owner ann@example.com --label project=x",
        "poolgate request list --key ann --model gpt-5 --limit 200 --json",
        "poolgate request list --tried gpu2 --retried --status ok,5xx --csv",
    ),
)
@click.option("--key", metavar="NAME", help="Only of this API key; of a removed one, give its ID.")
@click.option("--account", metavar="NAME", help="Only served by this account; of a removed one, give its ID.")
@click.option("--tried", metavar="NAME", help="Only if this account was tried, whichever served it.")
@click.option("--model", metavar="MODEL", help="Only for this model.")
@click.option("--requested", metavar="MODEL", help="Only if the client named this model or model route.")
@click.option("--team", metavar="NAME", help="Only of keys that were in this team then.")
@key_filters("of keys that had", " then")
@click.option("--endpoint", metavar="PATH", help="Only of this endpoint: /v1/responses.")
@click.option("--status", metavar="STATUS", help=f"Only with this status: {STATUS_FORMS}.")
@click.option("--error", metavar="CODE", help="Only with this error code.")
@click.option(
    "--retried/--not-retried", default=None, help="Only with several attempts, or only with at most one."
)
@click.option("--cached/--not-cached", default=None, help="Only answered from the response cache, or not.")
@click.option(
    "--min-seconds", type=click.FloatRange(0, MAX_MINIMUM / 1000), help="Only if it took at least that long."
)
@click.option(
    "--min-cost",
    type=click.FloatRange(0, MAX_MINIMUM / 1e6),
    help="Only if it cost at least that many dollars.",
)
@click.option("--refused", is_flag=True, help="Only requests that were refused before an account was tried.")
@time_option("--since", what="Ended at or after")
@time_option("--until", what="Ended before")
@click.option(
    "--limit",
    "--most",
    "max_rows",
    default=20,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Maximum number of rows.",
)
@utc_option
@listing
@in_pool
@with_store
def list_requests(
    services: Services,
    as_json: bool,
    pool: str,
    max_rows: int,
    labels: tuple[str, ...],
    min_seconds: float | None,
    min_cost: float | None,
    **fields: str | bool | None,
) -> None:
    """
    List completed requests, newest first, including the newest refused ones.

    Team, owner and labels are those that the key had at the time of the request. (`poolgate usage` groups by
    the owners and labels that keys have now.)
    """
    services.pools.check(pool)
    names = Names.read(pool, services.api_keys, services.accounts)
    params = {name: _param(value) for name, value in fields.items() if value is not None}
    for name in params.keys() & {"since", "until"}:
        params[name] = moment_of(params[name], f"--{name}")
    params |= {"label": ",".join(labels)} if labels else {}
    params |= {"min_ms": str(round(min_seconds * 1000))} if min_seconds is not None else {}
    params |= {"min_cost": str(round(min_cost * 1e6))} if min_cost is not None else {}
    query = ledger_query(names, RequestsQuery().load(params))
    with wrong_call():
        query.check()
    entries: list[LedgerEntry] = []
    cursor = None
    while len(entries) < max_rows:
        page = services.ledger.search.search(pool, query, cursor, max_rows - len(entries))
        entries += page.entries
        if (cursor := page.cursor) is None:
            break
    if as_json:
        show_list(serialize_entries(services.ledger.entries, pool, entries, names))
    else:
        rows = list(map(_row, request_views(services.ledger.entries, pool, entries, names)))
        show_table(ROWS, rows, _none_found(services, pool, query))


def _none_found(services: Services, pool: str, query: LedgerQuery) -> str:
    """Return that no request matches *query*, a similar team, and the option for names that clients use."""
    text = "No requests found."
    teams = [team.name for team in services.teams.all(pool)] if query.team else []
    if query.team not in ("", *teams):  # a removed one has requests, too
        return f"{text} There is no team named '{query.team[:64]}'{suggestion(query.team, teams)}"
    if query.model and services.routes.current(pool).find(query.model) is not None:
        return (
            f"{text} '{query.model}' is a model route: --requested {quote(query.model)} finds its requests."
        )
    if query.model:
        return f"{text} --model takes the model that served; --requested takes the name that clients use."
    return text


def _param(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _row(view: RequestView) -> tuple[object, ...]:
    entry = view.entry
    input_tokens, output_tokens, total_ms = (
        amount(view.number(name) or 0) for name in ("input_tokens", "output_tokens", "total_ms")
    )
    return (
        *(
            moment(entry.ended_at, seconds=True),
            view.key,
            view.account,
            entry.model,
            entry.status,
            view.failure,
        ),
        *(input_tokens, output_tokens, total_ms, entry.request_id),
    )


def _heading(explanation: RequestExplanation) -> str:
    """Return the endpoint, the model, the key with its attributes, and the time of the request."""
    model = f" for {explanation['model']}" if explanation["model"] else ""
    if explanation["requested_model"]:
        model += f" (requested as {explanation['requested_model']})"
    key = f"key '{name_or_id(explanation['key'])}'"
    team = f" of team '{explanation['team']}'" if explanation["team"] else ""
    owner = f", owner '{explanation['owner']}'" if explanation["owner"] else ""
    labels = "".join(f", {name}={value}" for name, value in explanation["labels"].items())
    at = moment(explanation["at"], seconds=True)
    return f"{explanation['endpoint']}{model}, {key}{team}{owner}{labels}, {at}"


def _usage_facts(usage: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    first, total = usage.get("first_ms"), usage.get("total_ms")
    yield "Tokens", tokens_text(usage)
    yield "Cost", cost_text(usage)
    yield "First token", "" if first is None else f"after {milliseconds(first)}"
    yield "Total", "" if total is None else milliseconds(total)


def _lines(choice: Choice) -> Iterator[str]:
    account = name_or_id(choice["account"]) if choice["account"] else "none"
    at = moment(choice["at"], seconds=True)
    yield f"{choice['label']}, {at}: account {account} ({choice['why']})"
    if choice["candidates"]:
        yield table(CANDIDATES, [_candidate_row(item) for item in choice["candidates"]])
    if choice["out"]:
        yield table(OUT, [_unavailable_row(item) for item in choice["out"]])
    for tried in choice["tries"]:
        number = f"{tried['attempt']}: " if len(choice["tries"]) > 1 else ""
        yield f"{number}{tried['outcome']}"
    if choice["outcome"]:
        yield choice["outcome"]


def _candidate_row(item: Candidate) -> tuple[object, ...]:
    score = "-" if item["score"] is None else f"{item['score']:.6g}"
    return name_or_id(item["account"]), Figure(score), candidate_label(item["why"])


def _unavailable_row(item: Unavailable) -> tuple[object, ...]:
    until = moment(item["until"], seconds=True) if item["until"] else endless_label(item["state"])
    return name_or_id(item["account"]), state_label(item["state"]), reason_label(item["reason"]), until
