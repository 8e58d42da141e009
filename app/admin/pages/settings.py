"""Pages of a pool's settings: routing, time limits, and creation of pools."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from zoneinfo import available_timezones

from flask import g, render_template, request

from app.accounts.pools import DEFAULT, POLICIES, POLICY_DESCRIPTIONS, Pool
from app.accounts.settings import (
    CHOICES,
    EVERY_MODEL,
    FLAGS,
    TIME_LIMITS,
    with_choice,
    with_flag,
    with_number,
    with_time_limit,
)
from app.admin.guard import operations, requires
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint, redirect_with_notice
from app.admin.pages.prices import is_own
from app.admin.pages.shown_values import check_shown
from app.admin.services import services
from app.config import TimeLimits
from app.stores.records.operators import Role
from schemas.bounds import POOL_NUMBERS, parse_number

DAY = 86400.0  # seconds, of any time limit
STREAMING = (
    (
        "auto",
        "auto: where the caller or the gateway needs the response as it arrives",
    ),
    ("always", "always"),
    ("never", "never: streams of callers begin when the response is complete"),
)

bp = page_blueprint("settings", "/settings")


@bp.route("", methods=["GET", "POST"])
@requires(Role.ADMIN, to_read=Role.VIEWER)
def show() -> Any:
    """Show the settings of the pool, and create another pool."""
    form = Form(request.form, "name", under={"pool": "name"})
    if request.method == "POST":
        with form.collect_errors():
            created = operations().pools.create(form["name"].strip())
            return redirect_with_notice(f"Pool {created.name} was created.", "start.show", pool=created.name)
    app_services, pool = services(), _pool()
    effective = pool.effective
    own = dict(effective.time_limits).get(EVERY_MODEL, {})
    limits = app_services.limits.all(g.pool)
    rows = app_services.prices.current(g.pool).rows()
    return render_template(
        "settings/show.html",
        section="settings.show",
        form=form,
        settings=pool,
        effective=effective,
        policies=POLICY_DESCRIPTIONS,
        times=[(name, own.get(name, getattr(TimeLimits(), name)), name in own) for name in TIME_LIMITS],
        patterns=[pattern for pattern, limits in effective.time_limits if pattern != EVERY_MODEL and limits],
        gauges=app_services.ledger.usage.limit_statuses(g.pool, limits),
        priced=sum(1 for row in rows.values() if is_own(row)),
    ), form.status


def _pool() -> Pool:
    pools = services().pools.all()
    return next((pool for pool in pools if pool.name == g.pool), Pool(DEFAULT, POLICIES[0], "UTC", 0, 0))


@bp.route("/routing", methods=["GET", "POST"])
@requires(Role.ADMIN, to_read=Role.VIEWER)
def routing() -> Any:
    """Change the policy, time zone, flags and numbers of the pool."""
    pool = _pool()
    effective = pool.effective
    now = {"policy": pool.policy, "zone": pool.zone}
    now |= {name: str(getattr(effective, name)) for name in (*POOL_NUMBERS, *CHOICES)}
    now |= {name: "yes" if getattr(effective, name) else "" for name in FLAGS}
    form = Form(request.form if request.method == "POST" else now, *now)
    check_shown(form, now, "pool", g.pool)
    if request.method == "POST" and not form.errors:
        with form.collect_errors():
            operations().pools.change(
                g.pool,
                policy=form["policy"],
                zone=form["zone"].strip(),
                steps=[
                    *(partial(with_flag, name=name, value=bool(form[name])) for name in FLAGS),
                    *(
                        partial(with_choice, name=name, value=form[name])
                        for name in CHOICES
                        if name in request.form
                    ),
                    *(
                        partial(with_number, name=name, value=form.integer(name))
                        for name in POOL_NUMBERS
                        if name in request.form
                    ),
                ],
            )
            return redirect_with_notice("Saved. It applies from the next request.", "settings.show")
    return render_template(
        "settings/routing.html",
        section="settings.show",
        form=form,
        policies=[
            (policy, f"{policy.replace('_', ' ')}: {POLICY_DESCRIPTIONS[policy]}") for policy in POLICIES
        ],
        streaming=STREAMING,
        zones=sorted(available_timezones()),
    ), form.status


@bp.route("/time-limits", methods=["GET", "POST"])
@requires(Role.ADMIN, to_read=Role.VIEWER)
def time_limits() -> Any:
    """Change the time limits of all models, or of a pattern of models."""
    stored = dict(_pool().effective.time_limits)
    of = (request.form.get("of") or request.args.get("of") or EVERY_MODEL).strip()
    current = stored.get(of, {})
    now = {"of": of} | {name: f"{seconds:g}" for name, seconds in current.items()}
    form = Form(request.form if request.method == "POST" else now, "of", *TIME_LIMITS)
    if of == (request.args.get("of") or EVERY_MODEL):
        check_shown(form, now, "pool", g.pool)
    if request.method == "POST":
        steps = list(_steps(form, of, current))
        if not form.errors:
            with form.collect_errors():
                operations().pools.change(g.pool, steps=steps)
                return redirect_with_notice(
                    "Saved. It applies from the next request.", "settings.time_limits", of=of
                )
    return render_template(
        "settings/time_limits.html",
        section="settings.show",
        form=form,
        of=of,
        patterns=sorted({EVERY_MODEL, *(pattern for pattern, limits in stored.items() if limits)}),
        limits=[(name, getattr(TimeLimits(), name)) for name in TIME_LIMITS],
    ), form.status


def _steps(form: Form, of: str, current: Mapping[str, float]) -> Iterator[Callable[[str], str]]:
    """Yield the changes to the stored settings that *form* requests; invalid values become its errors."""
    if not of or len(of) > 100:
        form.add_error("of", "must be a name or a pattern of up to 100 characters")
    for name in TIME_LIMITS:
        text = form[name].strip()
        seconds = _seconds(text)
        if text and seconds is None:
            form.add_error(name, "must be a number of seconds, more than 0 and at most a day")
        elif seconds != current.get(name):
            yield partial(with_time_limit, pattern=of, name=name, seconds=seconds)


def _seconds(text: str) -> float | None:
    seconds = parse_number(text)
    return seconds if seconds is not None and 0 < seconds <= DAY else None
