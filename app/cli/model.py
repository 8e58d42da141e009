"""`poolgate model`: model routes, which are names that callers use for one or more models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import click
from marshmallow import ValidationError

from app.accounts.route_syntax import format_fields, parse_fields, parse_step
from app.cli import complete
from app.cli.command import Group, example
from app.cli.listing import listing, show_table
from app.cli.options import in_pool, operations, with_store
from app.cli.output import report, show_json, show_list
from app.cli.prompts import confirm, yes_option
from app.presentation.model_routes import RouteView, resolve, serialize_route, step_texts
from app.presentation.names import Names
from app.presentation.route_serving import RouteServing, serving_now, serving_text
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import RouteTarget
from app.wiring import Services
from schemas.model_routes import ROUTE_INPUT
from schemas.validation_errors import first_error_path

HEADS = ("NAME", "STEPS", "DEFAULTS", "OVERRIDES", "SERVED NOW")
RULES = {
    "exact": "the route with this name",
    "pattern": "the route with the longest pattern that matches",
    "model": "the model with this name: no route matches",
}


@click.group("model", cls=Group)
def model_group() -> None:
    """Manage model routes: names that callers use, each for one or more models in order."""


@model_group.command(
    "set",
    epilog=example(
        "poolgate model set fast --to gpt-5-mini --then llama-3.3@gpu1,gpu2 --then demo-model",
        "poolgate model set assistant --to gpt-5=90,gpt-5-mini=10 --default reasoning_effort=low",
        "poolgate model set cheap --to gpt-5-mini@group:1 --then gpt-5-mini@group:2",
        "poolgate model set 'gpt-4*' --to gpt-5 --override max_tokens=4000",
    ),
)
@click.argument("name")
@click.option(
    "--to",
    "first",
    required=True,
    metavar="STEP",
    help="The first step: MODEL, MODEL@ACCOUNT,ACCOUNT, MODEL@group:NUMBER, or MODEL=WEIGHT,MODEL=WEIGHT.",
)
@click.option(
    "--then",
    "others",
    multiple=True,
    metavar="STEP",
    help="The next step, in the same form. May be repeated.",
)
@click.option(
    "--default",
    "defaults",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Set reasoning_effort, temperature, max_tokens or service_tier if a request lacks it.",
)
@click.option(
    "--override",
    "overrides",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Set such a field in every request, in place of its value.",
)
@in_pool
@with_store
def set_route(
    services: Services,
    as_json: bool,
    pool: str,
    name: str,
    first: str,
    others: tuple[str, ...],
    defaults: tuple[str, ...],
    overrides: tuple[str, ...],
) -> None:
    """
    Create or replace the route NAME, from the next request on.

    A NAME with `*` is a pattern. If several routes match, the exact name applies, then the longest pattern.
    """
    steps = (first, *others)
    try:
        fields = ROUTE_INPUT.load(
            {
                "steps": list(map(parse_step, steps)),
                "defaults": parse_fields(defaults, "defaults"),
                "overrides": parse_fields(overrides, "overrides"),
            }
        )
    except ValidationError as error:
        raise click.UsageError(_in_words(*first_error_path(error), steps)) from None
    route = operations(services).routes.set(pool, name, fields)
    view = serialize_route(route, _names(services, pool))
    for warning in operations(services).routes.find_warnings(pool, route):
        click.echo(f"Warning: {warning}.", err=True)
    report(as_json, view, f"'{name}' leads to {', then '.join(step_texts(view['steps']))}.")


def _names(services: Services, pool: str) -> Names:
    return Names.read(pool, services.api_keys, services.accounts)


def _in_words(path: str, message: str, steps: Sequence[str]) -> str:
    """Return the error at *path* of a route with its option: `--then 'a=0': the weight of 'a' must be …`."""
    if path.startswith(("defaults.", "overrides.")):
        option, _, field = path.partition(".")
        return f"--{option.removesuffix('s')}: {field} {message}"
    numbers = list(map(int, re.findall(r"\[(\d+)\]", path)))
    if not numbers:
        return f"--to and --then {message}"
    step = steps[numbers[0]]
    place = f"{'--then' if numbers[0] else '--to'} '{step[:64]}'"
    if len(numbers) == 1:
        return f"{place}: the step {message}"
    model = parse_step(step)[numbers[1]]["model"]
    field = path.rpartition(".")[2] if "." in path else ""
    return f"{place}: the {field or 'target'} of '{model[:64]}' {message}"


@model_group.command("list", epilog=example("poolgate model list", "poolgate model list --json"))
@listing
@in_pool
@with_store
def list_routes(services: Services, as_json: bool, pool: str) -> None:
    """
    List the model routes of a pool, and whether accounts can serve them now.

    SERVED NOW has the first target that an account can serve, and why those before it cannot be served; or
    the reason that none can. On a terminal of less than 130 columns, DEFAULTS and OVERRIDES are left out;
    `model show` has them.
    """
    services.pools.check(pool)
    names = _names(services, pool)
    routes = services.routes.all(pool)
    views = [serialize_route(route, names) for route in routes.values()]
    serving = list(_serving(services, pool, routes))
    if as_json:
        show_list([{**view, "serving": state} for view, state in zip(views, serving, strict=True)])
    else:
        empty = f"No model routes in pool '{pool}' yet: see poolgate model set --help"
        rows = [_row(view, state) for view, state in zip(views, serving, strict=True)]
        show_table(HEADS, rows, empty, spare=("DEFAULTS", "OVERRIDES"))


def _serving(
    services: Services, pool: str, names: Iterable[str], key: ApiKey | None = None
) -> Iterator[RouteServing]:
    """Yield whether each of *names*, which are routes or models, can be served now for *key*."""
    routes, accounts, now = services.routes.current(pool), services.accounts.all(pool), services.clock.now()
    rests = services.model_rests.all(pool, now)
    for route, name in ((routes.find(name), name) for name in names):
        steps = route.steps if route is not None else ((RouteTarget(name),),)
        yield serving_now(steps, accounts, rests, now, key)


def _row(view: RouteView, serving: RouteServing) -> tuple[str, ...]:
    fields = (", ".join(format_fields(view[name])) or "-" for name in ("defaults", "overrides"))
    return view["name"], ", then ".join(step_texts(view["steps"])), *fields, serving_text(serving)


@model_group.command("show", epilog=example("poolgate model show fast"))
@click.argument("name")
@in_pool
@with_store
def show_route(services: Services, as_json: bool, pool: str, name: str) -> None:
    """Show the route NAME."""
    services.pools.check(pool)
    view = serialize_route(services.routes.find(pool, name), _names(services, pool))
    (serving,) = _serving(services, pool, [name])
    if as_json:
        show_json({**view, "serving": serving})
        return
    for number, step in enumerate(step_texts(view["steps"]), 1):
        click.echo(f"step {number}: {step}")
    for kind in ("defaults", "overrides"):
        for field in format_fields(view[kind]):
            click.echo(f"{kind.removesuffix('s')}: {field}")
    click.echo(f"served now: {serving_text(serving)}")


@model_group.command(
    "resolve", epilog=example("poolgate model resolve gpt-4o", "poolgate model resolve fast --key ann")
)
@click.argument("name")
@click.option(
    "--key", "key_name", metavar="KEY", shell_complete=complete.api_keys, help="API key of the caller."
)
@in_pool
@with_store
def resolve_name(services: Services, as_json: bool, pool: str, name: str, key_name: str | None) -> None:
    """Show which models NAME means when a caller requests it, by which rule, and whether it is served now."""
    services.pools.check(pool)
    key = services.api_keys.find(pool, key_name) if key_name else None
    found = resolve(services.routes.current(pool), name, _names(services, pool), key)
    (serving,) = _serving(services, pool, [name], key)
    if as_json:
        show_json({**found, "serving": serving})
        return
    which = f" ({found['route']})" if found["rule"] == "pattern" else ""
    click.echo(f"'{name}' is {RULES[found['rule']]}{which}.")
    if not found["allowed"]:
        click.echo(f"The key '{key_name}' may not use it.")
    for number, step in enumerate(step_texts(found["steps"]), 1):
        click.echo(f"step {number}: {step}")
    for kind, fields in (("default", found["defaults"]), ("override", found["overrides"])):
        for field in format_fields(fields):
            click.echo(f"{kind}: {field}")
    if found["shadowed"]:
        click.echo(f"does not apply: {', '.join(found['shadowed'])}")
    click.echo(f"served now: {serving_text(serving)}")


@model_group.command("remove", epilog=example("poolgate model remove fast"))
@click.argument("name")
@yes_option
@in_pool
@with_store
def remove_route(services: Services, as_json: bool, pool: str, name: str, yes: bool) -> None:
    """Remove the route NAME. From the next request on, the name is taken as the name of a model."""
    services.pools.check(pool)
    confirm(f"Remove the model route '{name}'?", yes)
    operations(services).routes.remove(pool, name)
    report(as_json, {"name": name, "deleted": True}, f"The model route '{name}' was removed.")
