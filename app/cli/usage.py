"""`poolgate usage`: usage by key, team, account or model, or by owner or label of keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

import click

from app.cli import complete
from app.cli.command import Command, example
from app.cli.forms import WrongValue, one_of
from app.cli.listing import listing, show_table, terminal_width
from app.cli.options import in_pool, key_filters, with_store
from app.cli.output import amount, cost, show_list, wrong_call
from app.cli.times import absolute, day_of, time_option
from app.cli.usage_report import OF_ACCOUNTS, TOTAL, show_report
from app.formatting import natural
from app.ledger.caller_figures import received_by_callers
from app.ledger.ranges import Span
from app.ledger.sums import Grouping
from app.presentation.api_keys import KeyFilter
from app.presentation.names import Names
from app.presentation.usage import BY_LABEL, BY_OWNER, NO_VALUE, add_teamless, key_groups, sum_by_group
from app.presentation.usage_range import read_range
from app.presentation.usage_report import UsageReporter, is_of_callers, read_only
from app.stores.records.usage import UsageBy
from app.wiring import Services
from schemas.key_labels import is_label_grouping, label_filters

SHOWN = ("requests", "errors", "input_tokens", "cached_tokens", "output_tokens", "cost")
FIGURES = (*SHOWN, "fallbacks")
HEADS = ("REQUESTS", "ERRORS", "INPUT", "CACHED", "OUTPUT", "COST")


BY_FORMS = (*(by.value for by in UsageBy), Grouping.ENDPOINT.value, BY_OWNER, "label:NAME")


class _By(click.Choice):  # type: ignore[type-arg]  # generic since click 8.2
    """One of the choices, or `label:NAME`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and is_label_grouping(value):
            return value
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            raise WrongValue(f"must be {one_of(BY_FORMS)}", ctx, param) from None


@click.command(
    "usage",
    cls=Command,
    epilog=example(
        "poolgate usage",
        "poolgate usage --by model --since 2026-11-01",
        "poolgate usage --by account --since yesterday",
        "poolgate usage --by team",
        "poolgate usage --by label:env --span 30d",
        "poolgate usage --by endpoint --from 2026-10-01 --to 2026-10-31",
        "poolgate usage --key ann --by model --span 7d",
        "poolgate usage --endpoint /v1/responses --span 24h",
        "poolgate usage --by model --owner ann@example.com --label env=prod",
    ),
)
@click.option("--key", metavar="NAME", shell_complete=complete.api_keys, help="Only this API key.")
@key_filters("API keys that have", " now")
@click.option("--team", metavar="NAME", help="Only this team; with --span or --from, as the next three.")
@click.option("--account", metavar="NAME", shell_complete=complete.accounts, help="Only this account.")
@click.option("--model", metavar="MODEL", help="Only this model.")
@click.option("--endpoint", metavar="PATH", help="Only this endpoint, such as /v1/responses; by itself.")
@time_option("--since", what="First day, by default the first of this month")
@click.option(
    "--span",
    type=click.Choice([span.value for span in Span]),
    help="Time span to show instead, with percentiles of times; with --json as a time series.",
)
@time_option("--from", "first", what="First day or moment to show, as with --span")
@time_option("--to", "last", what="Last day or moment, by default now")
@click.option(
    "--by",
    type=_By(BY_FORMS[:-1]),
    default=UsageBy.KEY.value,
    show_default=True,
    metavar=f"[{'|'.join(BY_FORMS)}]",
    help="How to group usage. Owners and labels are those that keys have now.",
)
@listing
@in_pool
@with_store
def usage(
    services: Services,
    as_json: bool,
    pool: str,
    key: str | None,
    owner: str | None,
    labels: tuple[str, ...],
    since: str | None,
    span: str | None,
    first: str | None,
    last: str | None,
    by: str,
    **selected: str | None,
) -> None:
    """
    Show usage: requests, tokens and cost. Days are in the pool's time zone.

    A request that was tried at several models is one, which failed if the last model did; by model and by
    account it is one of each. JSON has all of them as requests and errors, and those of later models as
    fallbacks. RESCUED of accounts are failed attempts after which another account answered with the same
    model.

    With --span or --from it also shows the 50th and the 95th percentile of the time to the first token
    and of the total time, and the median of output tokens per second.
    On a terminal of less than 130 columns, that table has no CACHED, FIRST P50 and TOTAL P50; --csv has them.
    """
    services.pools.check(pool)
    if last and not first:
        raise WrongValue("needs --from, when the range begins, such as 2026-11-01", param_hint="--to")
    if span or first:
        if owner is not None or labels or since is not None:
            raise click.UsageError("--span and --from cannot be combined with --owner, --label or --since")
        only = {name: value for name, value in {"key": key, **selected}.items() if value is not None}
        chosen = (
            span or "",
            absolute(first, "--from") if first else "",
            absolute(last, "--to") if last else "",
        )
        _show_report(services, as_json, pool, chosen, by, only)
        return
    _check_without_range(by, selected)
    key_filter = KeyFilter(owner=owner or "", labels=label_filters([*labels]))
    key_ids = _selected_keys(services, pool, key, key_filter)
    if key_ids is not None and by == UsageBy.TEAM:
        raise WrongValue(
            "team cannot be combined with --key, --owner or --label: a key may have had several teams",
            param_hint="--by",
        )
    _show_totals(services, as_json, pool, by, since, key_ids)


def _show_totals(
    services: Services, as_json: bool, pool: str, by: str, since: str | None, key_ids: set[str] | None
) -> None:
    """Print the totals of each group since that day."""
    lines = _totals(services, pool, by, day_of(since, "--since") if since else None, key_ids)
    if as_json:
        figures = (*FIGURES, *_extra_figures(by))
        show_list(
            [
                {by: name, "id": who, **{figure: used.get(figure, 0) for figure in figures}}
                for name, who, used in lines
            ]
        )
        return
    if terminal_width() is not None:
        zone = services.clock.zone(pool)
        first_day = day_of(since, "--since") if since else datetime.now(zone).date().replace(day=1)
        click.echo(f"Since {first_day}, in {zone}", err=True)
    _show(by, [(name or NO_VALUE, used) for name, _, used in lines])


def _check_without_range(by: str, selected: Mapping[str, str | None]) -> None:
    """Raise UsageError for a grouping or a selection that needs the range of a report."""
    if given := next((name for name, value in selected.items() if value is not None), ""):
        raise WrongValue("needs --span or --from", param_hint=f"--{given}")
    if by == Grouping.ENDPOINT:
        raise WrongValue("endpoint needs --span or --from", param_hint="--by")


def _totals(
    services: Services, pool: str, by: str, since: date | None, key_ids: set[str] | None
) -> list[tuple[str, str, Mapping[str, int]]]:
    """Return the name, the id and the figures of each group that has usage since that day, by name."""
    usage = services.ledger.usage
    if (groups := key_groups(by, partial(services.api_keys.all, pool))) is None:
        used: Mapping[str, Mapping[str, int]] = usage.since(pool, since, by, key_ids)
        if by == UsageBy.TEAM:
            used = add_teamless(used, usage.since(pool, since, UsageBy.KEY))
    else:
        used = sum_by_group(usage.since(pool, since, UsageBy.KEY, key_ids), groups)
    names = _names(services, pool)
    lines = [(names.line(by, who), who, figures) for who, figures in used.items()]
    return sorted(lines, key=lambda line: (natural(line[0]), line[1]))


def _names(services: Services, pool: str) -> Names:
    names = Names.read(pool, services.api_keys, services.accounts)
    return names.with_teams(services.teams.all(pool))


def _selected_keys(services: Services, pool: str, name: str | None, key_filter: KeyFilter) -> set[str] | None:
    """Return the ids of the keys with that name and the filter; None: all, including removed ones."""
    if name is None and key_filter == KeyFilter():
        return None
    api_keys = services.api_keys.all(pool) if name is None else [services.api_keys.find(pool, name)]
    return {key.id for key in key_filter.select(api_keys)}


def _show_report(
    services: Services,
    as_json: bool,
    pool: str,
    chosen: tuple[str, str, str],
    by: str,
    only: Mapping[str, str],
) -> None:
    """
    Print the usage of what *only* selects; *chosen* is the span, the first and the last moment of a range.
    """
    usage, zone = services.ledger.series, services.clock.zone(pool)
    names = _names(services, pool)
    reporter = UsageReporter(usage, services.ledger.refusals, services.api_keys)
    with wrong_call():
        within = read_range(usage, pool, *chosen, zone)
        report = reporter.report(pool, within, by, read_only(only, names))
    show_report(report, within, str(zone), names, as_json=as_json)


def _show(by: str, lines: Sequence[tuple[str, Mapping[str, int]]]) -> None:
    sums = Counter[str]()
    for _, figures in lines:
        sums.update(figures)
    show_table(
        _heads(by), [_row(name, figures, by) for name, figures in lines], "No usage.", _row(TOTAL, sums, by)
    )


def _extra_figures(by: str) -> tuple[str, ...]:
    """Return the figures that only accounts have, if *by* groups by account."""
    return tuple(OF_ACCOUNTS) if by == "account" else ()


def _heads(by: str) -> tuple[str, ...]:
    return by.removeprefix(BY_LABEL).upper(), *HEADS, *(OF_ACCOUNTS[figure] for figure in _extra_figures(by))


def _row(name: str, figures: Mapping[str, int], by: str) -> tuple[object, ...]:
    shown = received_by_callers(figures) if is_of_callers(by) else figures
    counts = [amount(shown.get(figure, 0)) for figure in SHOWN[:-1]]
    more = [amount(figures.get(figure, 0)) for figure in _extra_figures(by)]
    return name, *counts, cost(figures.get("cost", 0)), *more
