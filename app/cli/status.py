"""`poolgate status`: the gateways on this machine and the state of the pools, in a few lines."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import Any

import click

from app.cli.command import Command, example
from app.cli.doctor import find_problems
from app.cli.gateways import START_ONE, FoundGateway, find_gateways, store_address, uses_private_store
from app.cli.options import json_option, pool_name, redis_url_option, settings_for
from app.cli.output import REFUSED, STORE_UNAVAILABLE, pairs, show_json
from app.cli.top import LoadSnapshot, read_snapshot
from app.config import Settings
from app.formatting import count, counted
from app.operations.diagnostic import Diagnostic, Level
from app.presentation.accounts import shown_state, state_label
from app.stores.records.webhooks import AlertKind
from app.wiring import Services

MAX_POOLS = 20  # pools shown without --pool
MAX_ALERTS = 5  # alerts of a pool that are written out


@dataclass(frozen=True, slots=True)
class LastMinute:
    """How many requests ended in the last minute, how many of these failed, and how many were refused."""

    requests: int
    failed: int
    refused: int

    @classmethod
    def of(cls, load: LoadSnapshot) -> LastMinute:
        return cls(load.total.sent, load.total.failed, sum(load.refused.values()))


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """
    The accounts and keys of a pool by state, its requests, and the texts of its alerts.

    `shown_accounts` are those by the state that people see, see `shown_state`.
    """

    pool: str
    accounts: Mapping[str, int]
    shown_accounts: Mapping[str, int]
    keys: Mapping[str, int]
    open_requests: int
    waiting_requests: int
    last_minute: LastMinute
    alerts: list[str] = field(default_factory=list)

    def public(self) -> dict[str, Any]:
        fields = asdict(self)
        del fields["shown_accounts"]
        return fields


@click.command("status", cls=Command, epilog=example("poolgate status", "poolgate status --json"))
@click.option("--pool", type=pool_name, metavar="POOL", help="Show only this pool.")
@redis_url_option
@json_option
def status(pool: str | None, redis_url: str | None, as_json: bool) -> None:
    """
    Show what runs: the gateways of this machine, the store, accounts, requests and alerts.

    Status 1 if something is wrong, as that no gateway answers, 3 if the store cannot be used: see
    poolgate doctor.
    """
    settings = settings_for(redis_url, os.environ)
    gateways = find_gateways(settings)
    problems, services = find_problems(settings, pool, gateways)
    if services is not None and pool is not None:
        services.pools.check(pool)
    names = services.pools.names() if services is not None else []
    pools = [_pool_status(services, name) for name in _chosen(names, pool)] if services is not None else []
    store = store_address(settings)
    wrong = sum(problem.level == Level.WRONG for problem in problems)
    if as_json:
        shown = [{**asdict(one.gateway), "ready": one.is_ready} for one in gateways]
        public = [problem.public() for problem in problems]
        answers = {"address": store, "answers": services is not None}
        show_json(
            {
                "gateways": shown,
                "store": answers,
                "pools": [one.public() for one in pools],
                "problems": public,
            }
        )
    else:
        lines = [
            *_alert_lines(pools),
            *_gateway_lines(gateways, settings),
            ("Store", problems[-1].what if services is None else store),
        ]
        lines += [line for one in pools for line in _pool_lines(one)]
        if len(names) > MAX_POOLS and pool is None:
            lines.append(("", f"and {counted(len(names) - MAX_POOLS, 'more pool')}: see --pool"))
        lines.append(("Problems", problem_text(problems, wrong)))
        click.echo(pairs(lines))
    if services is None:
        raise click.exceptions.Exit(STORE_UNAVAILABLE)
    if wrong:
        raise click.exceptions.Exit(REFUSED)


def _chosen(names: list[str], pool: str | None) -> list[str]:
    return names[:MAX_POOLS] if pool is None else [pool]


def _pool_status(services: Services, pool: str) -> PoolStatus:
    load = read_snapshot(services, pool)
    accounts = services.accounts.snapshot(pool)
    states, shown = (
        Counter(state_label(state_of(account)) for account in accounts)
        for state_of in (attrgetter("state"), shown_state)
    )
    api_keys = Counter(state_label(key.state_at(load.now)) for key in services.api_keys.all(pool))
    kinds = [kind for kind in AlertKind if kind is not AlertKind.STORE]
    alerts = [alert.text for alert in services.alerting.conditions.current(pool, kinds) if alert.begins]
    return PoolStatus(
        *(pool, dict(states), dict(shown), dict(api_keys)),
        open_requests=load.open_requests,
        waiting_requests=load.waiting_requests,
        last_minute=LastMinute.of(load),
        alerts=alerts,
    )


def _alert_lines(pools: Sequence[PoolStatus]) -> Iterator[tuple[str, str]]:
    """Yield the alerts that hold, which come first; those of one of several pools with its name."""
    for status in pools:
        prefix = f"pool '{status.pool}': " if len(pools) > 1 else ""
        yield from (("Alert", prefix + text) for text in status.alerts[:MAX_ALERTS])


def _gateway_lines(gateways: Sequence[FoundGateway], settings: Settings) -> Iterator[tuple[str, str]]:
    if not gateways:
        others = "" if uses_private_store(settings) else "; those of other machines may use this store"
        yield "Gateway", f"none runs on this machine: {START_ONE}{others}"
    for gateway, ready in ((one.gateway, one.is_ready) for one in gateways):
        yield "Gateway", f"{gateway.url} ({'ready' if ready else 'not ready'})"
        yield "Pages", gateway.pages
        if gateway.key_name:
            another = "shown when it was created; another: poolgate key create --name NAME"
            yield "Key", f"'{gateway.key_name}', {another}"


def _pool_lines(status: PoolStatus) -> Iterator[tuple[str, str]]:
    yield "Pool", status.pool
    yield "  accounts", _states(status.shown_accounts)
    yield "  keys", _states(status.keys)
    now = f"{count(status.open_requests)} open, {count(status.waiting_requests)} waiting"
    last = status.last_minute
    ended = f"{counted(last.requests, 'request')}, {count(last.failed)} failed, {count(last.refused)} refused"
    yield "  requests", f"{now}; last minute: {ended}"
    hidden = len(status.alerts) - MAX_ALERTS
    more = f", of which {MAX_ALERTS} are above" if hidden > 0 else ""
    yield "  alerts", f"{count(len(status.alerts))}{more}" if status.alerts else "none"


def _states(states: Mapping[str, int]) -> str:
    if not states:
        return "none"
    parts = ", ".join(f"{count(number)} {state}" for state, number in sorted(states.items()))
    return f"{count(sum(states.values()))}: {parts}"


def problem_text(problems: list[Diagnostic], wrong: int) -> str:
    if not problems:
        return "none"
    parts = [(wrong, "wrong"), (len(problems) - wrong, "to note")]
    return f"{', '.join(f'{number} {what}' for number, what in parts if number)}: see poolgate doctor"
