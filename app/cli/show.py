"""`poolgate key show` and `poolgate account show`: all about one API key or one account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click
import orjson

from app.cli import complete
from app.cli.clock import moment, until, utc_option
from app.cli.command import Command, example
from app.cli.options import in_pool, with_store
from app.cli.output import Figure, pairs, show_json, table
from app.formatting import count, counted, dollars, names_or_all
from app.ledger.caller_figures import received_by_callers
from app.limits.limit_syntax import readable_limit
from app.presentation.accounts import (
    AccountView,
    WindowView,
    failure_label,
    rest_label,
    serialize_account,
    state_label,
    websocket_label,
)
from app.presentation.api_keys import KeyView, key_views, label_texts
from app.presentation.names import Names
from app.presentation.requests import RequestView, recent_errors, serialize_entry
from app.stores.limits import for_team
from app.stores.records.accounts import ModelRest
from app.stores.records.api_keys import ApiKey, CutPolicy
from app.stores.records.limits import Limit, LimitStatus
from app.stores.records.usage import UsageBy
from app.wiring import Services

MAX_ERRORS = 10
LIMITS = ("LIMIT", "USED", "RESERVED", "REMAINING", "RESETS", "OF")
WINDOWS = ("WINDOW", "USED", "RESETS", "USED UP AT THIS RATE")
ERRORS = ("ENDED", "STATUS", "FAILURE", "MODEL", "REQUEST")
RESTS = ("RESTING MODEL", "WHY", "UNTIL")
REFUSAL_SPAN = "24h"
USAGE = ("requests", "errors", "input_tokens", "cached_tokens", "output_tokens", "cost")
OF_ACCOUNTS = ("attempts", "failed_attempts", "rescues")

Pair = tuple[str, str]


@click.command("show", cls=Command, epilog=example("poolgate key show ann", "poolgate key show ann --json"))
@click.argument("name", shell_complete=complete.api_keys)
@utc_option
@in_pool
@with_store
def show_key(services: Services, as_json: bool, pool: str, name: str) -> None:
    """Show the key NAME: permissions, limits, and the usage of today. The key itself is never shown."""
    key = services.api_keys.find(pool, name)
    shared = _shared_limits(services, key)
    names, now = services.accounts.names_by_id(pool), services.clock.now()
    former, limits = services.api_keys.former_names(pool), [one for _, one in shared]
    usage = services.ledger.usage
    (view,) = key_views(usage, pool, [key], names, now=now, shared=limits, former_names=former)
    used = _used_today(services, pool, UsageBy.KEY, key.id)
    refused = services.ledger.refusals.counts(pool, REFUSAL_SPAN).by_code(key.id)
    if as_json:
        today = {figure: used.get(figure, 0) for figure in (*USAGE, "fallbacks")}
        show_json({**view.to_json(), "state": view.state, "usage_today": today, "refused": dict(refused)})
        return
    click.echo(pairs(_key_facts(view)))
    owners = [*["key" for _ in key.limits], *[owner for owner, _ in shared]]
    if view.limits:
        rows = [_limit_row(status, owner) for status, owner in zip(view.limits, owners, strict=True)]
        click.echo("\n" + table(LIMITS, rows))
    codes = ", ".join(f"{count(number)} {code}" for code, number in refused)
    received = _usage_text(received_by_callers(used))
    click.echo("\n" + pairs([("Today", received), ("Refused in 24 h", codes or "none")]))


def _shared_limits(services: Services, key: ApiKey) -> list[tuple[str, Limit]]:
    """Return the limits of the team of *key* and of the pool, which apply to it as well, with their owner."""
    of_team = services.limits.all(key.pool, for_team(key.team)) if key.team else []
    return [
        *((f"team {key.team}", limit) for limit in of_team),
        *(("pool", limit) for limit in services.limits.all(key.pool)),
    ]


def _key_facts(view: KeyView) -> Iterator[Pair]:
    key = view.key
    waits = "as the pool" if key.queue_seconds is None else f"{key.queue_seconds} s"
    restarts = key.on_cut == CutPolicy.RESTART
    yield "Key", f"{key.name} in pool {key.pool}"
    yield "State", state_label(view.state)
    yield "Team", key.team or "none"
    yield "Owner", key.owner or "none"
    yield "Labels", ", ".join(label_texts(key)) or "none"
    yield "Models", names_or_all(key.models)
    yield "Accounts", names_or_all(view.accounts)
    yield "Expires", moment(key.expires_at) if key.expires_at else "never"
    yield "When a stream breaks off", "restart on another account" if restarts else "end with an error"
    yield "Default maximum output", counted(key.output_tokens, "token") if key.output_tokens else ""
    yield "Waits when accounts are busy", waits
    yield "Weight while requests wait", str(key.weight) if key.weight != 1 else ""
    yield "Raw upstream responses", "allowed" if key.raw else ""
    yield "Old secret valid until", moment(key.former_until) if key.former_until else ""
    yield "Created", moment(key.created_at) if key.created_at else ""
    yield "ID", key.id
    yield "Limits", "" if view.limits else "none"


def _limit_row(status: LimitStatus, owner: str) -> tuple[object, ...]:
    limit, numbers = status.limit, (status.settled, status.held, status.remaining)
    amounts = [Figure(limit.unit.rounded_amount(number)) for number in numbers]
    resets = moment(status.resets_at) if status.resets_at else "never"
    return readable_limit(limit), *amounts, resets, owner


@click.command(
    "show", cls=Command, epilog=example("poolgate account show main", "poolgate account show main --json")
)
@click.argument("name", shell_complete=complete.accounts)
@utc_option
@in_pool
@with_store
def show_account(services: Services, as_json: bool, pool: str, name: str) -> None:
    """Show the account NAME: state, usage windows, settings, the usage of today and recent errors."""
    account, now = services.accounts.find_without_credential(pool, name), services.clock.now()
    view = AccountView(account, now, services.model_rests.of_account(pool, account.id, now))
    names = Names.read(pool, services.api_keys, services.accounts)
    errors = recent_errors(services.ledger.entries, pool, names).get(account.id, [])[:MAX_ERRORS]
    used = _used_today(services, pool, UsageBy.ACCOUNT, account.id)
    if as_json:
        today = {figure: used.get(figure, 0) for figure in (*USAGE, *OF_ACCOUNTS)}
        rows = [serialize_entry(error.entry, names) | {"failure": error.failure} for error in errors]
        show_json(
            {**serialize_account(account, now, view.rests), "usage_today": today, "recent_errors": rows}
        )
        return
    click.echo(pairs([*_state_facts(view), *_account_facts(view), *_setting_facts(view)]))
    if view.windows:
        click.echo("\n" + table(WINDOWS, [_window_row(window) for window in view.windows]))
    if view.rests:
        click.echo("\n" + table(RESTS, [_rest_row(rest) for rest in view.rests]))
    click.echo("\n" + pairs([("Today", _usage_text(used, OF_ACCOUNTS))]))
    if errors:
        click.echo("\n" + table(ERRORS, [_error_row(error) for error in errors]))


def _state_facts(view: AccountView) -> Iterator[Pair]:
    account = view.account
    yield "Account", f"{account.name}, {account.kind}"
    yield "State", until(state_label(view.state), view.until, f" ({view.reason})" if view.reason else "")
    yield "In flight", f"{count(account.in_flight)} of {count(account.cap)}"
    rescued = f"{count(account.rescues)} rescued by another account with the same model"
    failed = f"{count(account.failed_attempts)} failed because of the account, {rescued}"
    yield "Attempts", f"{count(account.attempts)}, {failed}"
    failures = sorted(account.failures.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{count(number)} {failure_label(failure)}" for failure, number in failures]
    yield "Failures, any cause", ", ".join(named)  # also those of requests, which are no failed attempts


def _account_facts(view: AccountView) -> Iterator[Pair]:
    account = view.account
    yield "Base URL", account.base_url
    yield "Supported APIs", ", ".join(account.protocols)
    yield "Allowed models", names_or_all(account.models)
    yield "Listed models", ", ".join(account.listed) or "none"
    yield "Weight, group", f"{account.weight}, {account.group}"
    yield "Streams responses", account.stream_upstream
    yield "WebSocket to its server", websocket_label(account)
    if account.signed_in:
        yield "Sign-in valid until", f"{moment(account.expires_at)}, refreshed automatically"
    refused = ", ".join(f"{one.field} ({one.protocol}, {one.model})" for one in account.refused[:20])
    yield "Refused by its server", refused
    yield "Usage not understood", ", ".join(account.unknown_usage)
    yield "Added", moment(account.created_at) if account.created_at else ""
    yield "ID", account.id


def _setting_facts(view: AccountView) -> Iterator[Pair]:
    """Yield the settings of requests to the account that are not the default, without secrets."""
    settings = view.account.settings
    secret = [f"{name} (secret)" for name in settings.secret_headers]
    names = [f"{name}={own}" for name, own in settings.model_names.items()]
    fields = [f"{name}={orjson.dumps(value).decode()}" for name, value in settings.set_fields.items()]
    verified = [f"{one.subject} (until {moment(one.expires_at)})" for one in view.certificates]
    yield "Header of the API key", settings.auth_header
    yield "Headers", ", ".join([f"{name}: {value}" for name, value in settings.headers.items()] + secret)
    yield "Model names", ", ".join(names)
    yield "Fields not sent", ", ".join(settings.drop_fields)
    yield "Fields set", ", ".join(fields)
    yield "Response timeout", _seconds(settings.timeout_seconds)
    yield "First token timeout", _seconds(settings.first_token_timeout_seconds)
    yield "Connect timeout", _seconds(settings.connect_timeout_seconds)
    yield "Verified with", ", ".join(verified)
    yield "Proxy", settings.proxy.url + (" (with a password)" if settings.proxy.has_password else "")


def _seconds(seconds: float) -> str:
    return f"{seconds:g} s" if seconds else ""


def _window_row(window: WindowView) -> tuple[object, ...]:
    resets = moment(window.resets_at) if window.resets_at else "unknown"
    end = moment(window.exhausted_at) if window.exhausted_at else "not before its reset"
    if window.over:
        return window.label, Figure("0%"), "reset since", ""
    return window.label, Figure(f"{window.used:.0f}%"), resets, end if window.resets_at else "unknown"


def _rest_row(rest: ModelRest) -> tuple[object, ...]:
    return rest.model, rest_label(rest.state), moment(rest.until_ms / 1000, seconds=True)


def _error_row(error: RequestView) -> tuple[object, ...]:
    entry = error.entry
    return moment(entry.ended_at, seconds=True), entry.status, error.failure, entry.model, entry.request_id


def _used_today(services: Services, pool: str, by: UsageBy, object_id: str) -> Mapping[str, int]:
    """Return the usage of one key or account since the beginning of today in the pool's time zone."""
    today = datetime.fromtimestamp(services.clock.now(), services.clock.zone(pool)).date()
    key_ids = {object_id} if by is UsageBy.KEY else None
    return services.ledger.usage.since(pool, today, by, key_ids).get(object_id, {})


def _usage_text(used: Mapping[str, Any], more: tuple[str, ...] = ()) -> str:
    nouns = {name: name.replace("_", " ").removesuffix("s") for name in (*USAGE[:-1], *more)}
    numbers = [counted(used.get(name, 0), noun) for name, noun in nouns.items()]
    return ", ".join([*numbers, f"{dollars(used.get('cost', 0))} cost"])
