"""`poolgate key`: what callers present."""

from __future__ import annotations

from typing import Any

import click

from app.cli.common import Group, checked, example, in_pool, names_option, with_store
from app.cli.output import moment, show_json, show_list, table
from app.quotas.api_keys import ApiKey
from app.quotas.limits import describe, parse_limit
from app.wiring import Services
from schemas.api_keys import KeyInput

HEADS = ("NAME", "STATE", "EXPIRES", "MODELS", "ACCOUNTS", "LIMITS")


@click.group("key", cls=Group)
def key_group() -> None:
    """API keys: what callers present. What is changed here holds at once, everywhere."""


@key_group.command(
    "create",
    epilog=example(
        "poolgate key create --name ann --limit '1000000 total_tokens/day' --expires 2027-01-01",
        "KEY=$(poolgate key create --name ci --models gpt-5-mini --limit '20 parallel_requests')",
    ),
)
@click.option("--name", required=True, help="1 to 64 letters, digits, '.', '_' or '-'.")
@names_option("--models", "The models it may use; all when left out.")
@names_option("--accounts", "The accounts it may use, by name; all when left out.")
@click.option(
    "--limit",
    "limits",
    type=checked(parse_limit),
    metavar="LIMIT",
    multiple=True,
    help="Such as '5 usd/month', '10 requests/minute for gpt-5*' or '20 parallel_requests'; may be repeated.",
)
@click.option(
    "--on-cut",
    type=click.Choice(("fail", "restart")),
    help="When a stream breaks off: say so (fail), or go on with another account's answer.",
)
@click.option(
    "--output-tokens",
    type=int,
    metavar="N",
    help="The most output of a request that names no limit itself; strict limits then hold less for it.",
)
@click.option("--raw", is_flag=True, help="Answers may carry what the upstream was sent, and what it said.")
@click.option("--expires", metavar="DATE", help="From then on it is refused: 2027-01-01, or with a time.")
@in_pool
@with_store
def create_key(
    services: Services, as_json: bool, pool: str, limits: tuple[dict[str, Any], ...], **said: Any
) -> None:
    """
    Make an API key and print it. Nobody can read it again: only its SHA-256 is kept.

    The key stands alone on standard output, all else goes to standard error.
    """
    wish = KeyInput().load({name: value for name, value in said.items() if value is not None})
    services.pools.ensure(pool)
    key, secret = services.api_keys.create(
        pool,
        wish["name"],
        models=tuple(wish.get("models", ())),
        accounts=services.accounts.ids(pool, wish.get("accounts", ())),
        limits=limits,
        expires_at=wish.get("expires_at"),
        raw=wish.get("raw", False),
        output_tokens=wish.get("output_tokens", 0),
        on_cut=wish.get("on_cut", "fail"),
    )
    if as_json:
        show_json({"key": secret, **key.public()})
    else:
        click.echo(f"Key '{key.name}' of pool '{pool}', shown this once:", err=True)
        click.echo(secret)


@key_group.command("list", epilog=example("poolgate key list", "poolgate key list --pool team-b --json"))
@in_pool
@with_store
def list_keys(services: Services, as_json: bool, pool: str) -> None:
    """List API keys and what they may do; never the keys themselves."""
    services.pools.check(pool)
    api_keys = services.api_keys.all(pool)
    if as_json:
        show_list([key.public() for key in api_keys])
    elif api_keys:
        names = {account.id: account.name for account in services.accounts.all(pool)}
        click.echo(table(HEADS, [_row(key, names) for key in api_keys]))
    else:
        click.echo(f"No keys in pool '{pool}' yet: see poolgate key create --help", err=True)


def _row(key: ApiKey, account_names: dict[str, str]) -> tuple[object, ...]:
    accounts = ",".join(account_names.get(one, f"{one} (removed)") for one in key.accounts)
    expires = moment(key.expires_at) if key.expires_at else "never"
    limits = "; ".join(map(describe, key.limits))
    return key.name, key.state, expires, ",".join(key.models) or "all", accounts or "all", limits or "none"


@key_group.command("disable", epilog=example("poolgate key disable ann"))
@click.argument("name")
@in_pool
@with_store
def disable_key(services: Services, as_json: bool, pool: str, name: str) -> None:
    """Refuse the key NAME from now on; requests it has running go on."""
    services.api_keys.disable(pool, name)
    if as_json:
        show_json(services.api_keys.find(pool, name).public())
    else:
        click.echo(f"Disabled key '{name}' of pool '{pool}'.")
