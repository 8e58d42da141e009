"""Shell completion of the names of pools, accounts, API keys, teams and webhooks in the store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import closing

import click
from click.shell_completion import CompletionItem, get_completion_class

from app.accounts.pools import DEFAULT
from app.config import ConfigError, Settings
from app.errors import StoreUnavailable
from app.stores import failures, private_server
from app.stores.client import make_client
from app.stores.names import NameRepository
from app.stores.scripts import Scripts

SHELLS = ("bash", "zsh", "fish")
PROGRAM, VARIABLE = "poolgate", "_POOLGATE_COMPLETE"
TIMEOUT_SECONDS = 1.0  # the user waits at the prompt


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """
    Print a script with which SHELL completes commands, options and names.

    \b
    bash  echo 'eval "$(poolgate completion bash)"' >> ~/.bashrc
    zsh   echo 'eval "$(poolgate completion zsh)"' >> ~/.zshrc
    fish  poolgate completion fish > ~/.config/fish/completions/poolgate.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(click.Group(), {}, PROGRAM, VARIABLE).source())


def pools(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a pool name."""
    return _matches(incomplete, _query_store(ctx, NameRepository.pools))


def accounts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete an account name, or the last of several separated by commas."""
    names = _query_store(ctx, lambda names: names.accounts(_pool(ctx)))
    before = incomplete[: incomplete.rfind(",") + 1]
    return _matches(incomplete, [before + name for name in names])


def api_keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete an API key name."""
    return _matches(incomplete, _query_store(ctx, lambda names: names.api_keys(_pool(ctx))))


def teams(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a team name."""
    return _matches(incomplete, _query_store(ctx, lambda names: names.teams(_pool(ctx))))


def webhooks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a webhook name."""
    return _matches(incomplete, _query_store(ctx, lambda names: names.webhooks(_pool(ctx))))


def _matches(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _pool(ctx: click.Context) -> str:
    return ctx.params.get("pool") or DEFAULT


def _query_store(ctx: click.Context, read: Callable[[NameRepository], list[str]]) -> list[str]:
    """Return the names that *read* returns; none if the store is not available. Does not start a store."""
    named = ctx.params.get("redis_url")
    try:
        settings = Settings.from_environment({**os.environ, **({"REDIS_URL": named} if named else {})})
        client = make_client(settings.redis_url or private_server.url(settings.home), TIMEOUT_SECONDS)
        with closing(client):
            return failures.call_within(TIMEOUT_SECONDS, lambda: read(NameRepository(Scripts(client))))
    except (ConfigError, StoreUnavailable):
        return []
