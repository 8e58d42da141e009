"""Usage over time, and refusals."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import checked_pool, json_response
from app.admin.outlook import forecast_limits
from app.admin.services import services
from app.presentation.accounts import AccountView
from app.presentation.api_keys import KeyFilter
from app.presentation.names import Names
from app.presentation.outlook import pool_windows
from app.presentation.usage import serialize_refusals
from app.presentation.usage_json import serialize_report
from app.presentation.usage_range import read_range
from app.presentation.usage_report import UsageReporter, read_only
from schemas.admin import RefusalsQuery, SeriesQuery
from schemas.key_labels import parse_label_filters

bp = Blueprint("usage", __name__, url_prefix="/usage")

SERIES_QUERY, REFUSALS_QUERY = SeriesQuery(), RefusalsQuery()


@bp.get("/series")
def series() -> Response:
    """
    Get the usage in a range, by key, team, account, model, endpoint or in total.

    The range is `span`, or `from` one date `to` another, both included; without `to` it ends now. Up to
    five days are divided into hours, up to 120 days into days of the pool's time zone, and more into
    weeks. `by` may also be `owner` or `label:NAME`: what the keys have now, '' without one. `key`,
    `team`, `account` or `model` selects one, by its name or id, whose usage `by` breaks down; `endpoint`
    selects one for `by=all` and `by=endpoint`.

    `points[n]` is the usage from `starts[n]` on, in the order of `figures`. Only the `top` lines with
    the most requests are returned; `lines` is their total number. Percentiles in `times` are off by at
    most 4.5 %; they are those of answered requests, by when these ended. `refusals` is null where they
    are not counted: they are by key, and since `refusals_since`. `unprepared` hours or days are missing
    from the figures, because the worker still adds them up.

    `requests` and `errors` count a request at each model that it was tried at, `fallbacks` those at later
    models: callers received `errors` - `fallbacks` errors to `requests` - `fallbacks` requests.
    """
    params = inputs.query(SERIES_QUERY)
    app_services, pool, by = services(), checked_pool(params["pool"]), params["by"]
    names = Names.read(pool, app_services.api_keys, app_services.accounts)
    usage, zone = app_services.ledger.series, app_services.clock.zone(pool)
    span, since, until = (params.get(name, "") for name in ("span", "since", "until"))
    within = read_range(usage, pool, span, since, until, zone)
    reporter = UsageReporter(usage, app_services.ledger.refusals, app_services.api_keys)
    report = reporter.report(pool, within, by, read_only(params, names))
    return json_response(serialize_report(report, within, str(zone), names, params["top"]))


@bp.get("/outlook")
def outlook() -> Response:
    """
    Forecast when usage windows of accounts, and limits, will be used up; the fullest come first.

    `windows` combine the usage windows of an hour or more of all accounts of a kind and plan. `exhausted_at`
    is when nothing is left at the mean rate since the window or the period began; null if it lasts until its
    reset.
    """
    pool = inputs.pool()
    app_services = services()
    accounts, now = app_services.accounts, app_services.clock.now()
    plans = {account_id: identity.plan for account_id, identity in accounts.identities(pool).items()}
    windows = pool_windows([AccountView(account, now) for account in accounts.all(pool)], plans)
    limits = forecast_limits(app_services, pool, app_services.doctor.read_limits(pool))
    return json_response(
        {"windows": [one.to_json() for one in windows], "limits": [one.to_json() for one in limits]}
    )


@bp.get("/refusals")
def refusals() -> Response:
    """
    Count the refused requests in `span`, by key and error code. `key` is a name or an id.

    `team`, `owner` and `label` (`name=value` or `name`, several separated by commas) select keys by what they
    have now.

    Counted in whole hours: `since` is the start of the first.
    """
    params = inputs.query(REFUSALS_QUERY)
    app_services, pool = services(), checked_pool(params["pool"])
    names = Names.read(pool, app_services.api_keys, app_services.accounts)
    refused = app_services.ledger.refusals.counts(pool, params["span"])
    key_id = names.id_of("key", params.get("key", ""))
    key_ids = {key_id} if key_id else None
    labels = parse_label_filters(params.get("label", ""))
    key_filter = KeyFilter(team=params.get("team", ""), owner=params.get("owner", ""), labels=labels)
    if key_filter != KeyFilter():
        matching = {key.id for key in key_filter.select(app_services.api_keys.all(pool))}
        key_ids = matching & (key_ids or matching)
    return json_response(serialize_refusals(refused, params["span"], names, key_ids))
