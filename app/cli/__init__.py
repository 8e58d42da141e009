"""The command line interface, `poolgate`: each command is imported only when it is called."""

from __future__ import annotations

import click

from app.cli.command import Group, LazyCommand
from app.config import package_version

COMMANDS = (
    ("account", "app.cli.account:account_group", "Manage accounts, the upstream identities of a pool."),
    (
        "admin",
        "app.cli.admin:admin_group",
        "Manage the operators of the admin pages, and tokens for scripts that call the admin API.",
    ),
    ("alert", "app.cli.alert:alert_group", "Send alerts to webhooks, such as those of Slack."),
    (
        "apply",
        "app.cli.setup:apply",
        "Change a pool to match FILE, a YAML or JSON document; - reads standard input.",
    ),
    ("audit", "app.cli.audit:audit", "Show who changed what, newest first."),
    (
        "backup",
        "app.cli.backup:backup",
        "Write accounts, keys, settings, prices, limits, operators and ledgers to the new FILE.",
    ),
    (
        "chat",
        "app.cli.chat:chat",
        "Send TEXT to MODEL and print the response while it arrives; - reads standard input.",
    ),
    (
        "completion",
        "app.cli.complete:completion",
        "Print a script with which SHELL completes commands, options and names.",
    ),
    ("doctor", "app.cli.doctor:doctor", "Report problems and how to fix them."),
    ("dump", "app.cli.setup:dump", "Print a pool as a YAML document for `poolgate apply`."),
    ("import", "app.cli.import_setup:import_group", "Import the configuration of another gateway."),
    ("key", "app.cli.key:key_group", "Manage API keys, which callers present."),
    (
        "ledger",
        "app.cli.ledger:ledger_group",
        "Verify and export the ledger, which has an entry for every completed request.",
    ),
    (
        "logs",
        "app.cli.logs:logs",
        "Print the newest requests of a pool, completed and refused ones, oldest first: a line each.",
    ),
    (
        "model",
        "app.cli.model:model_group",
        "Manage model routes: names that callers use, each for one or more models in order.",
    ),
    (
        "open",
        "app.cli.open_pages:open_pages",
        "Open the admin pages of the gateway that runs on this machine, and print their address.",
    ),
    ("ops", "app.cli.ops:ops", "Print files for operating Poolgate, and rotate secret keys."),
    ("pool", "app.cli.pool:pool_group", "Manage pools."),
    ("price", "app.cli.price:price_group", "Manage model prices: the public list and a pool's own."),
    (
        "replay",
        "app.cli.replay:replay",
        "Replay the traffic in LEDGER, a file of `poolgate ledger export` or `-` for the pool's own.",
    ),
    ("request", "app.cli.request:request_group", "List requests, and explain what happened to one and why."),
    ("restore", "app.cli.backup:restore", "Restore FILE and verify the ledgers."),
    (
        "settings",
        "app.cli.settings:settings",
        "Show the settings of this environment, without secrets, and those of a pool.",
    ),
    (
        "snippet",
        "app.cli.snippet:snippet",
        "Print the configuration of CLIENT for this gateway; where it belongs goes to standard error.",
    ),
    (
        "status",
        "app.cli.status:status",
        "Show what runs: the gateways of this machine, the store, accounts, requests and alerts.",
    ),
    ("team", "app.cli.team:team_group", "Manage teams: API keys that share limits."),
    ("top", "app.cli.top:top", "Show the load of a pool, updated every two seconds until Ctrl-C."),
    ("up", "app.cli.up:up", "Run the gateway on this machine until Ctrl-C."),
    ("usage", "app.cli.usage:usage", "Show usage: requests, tokens and cost."),
)


@click.group(cls=Group)
@click.version_option(package_version())
def main() -> None:
    """One OpenAI-compatible endpoint in front of a pool of upstream accounts."""


for command in COMMANDS:
    main.add_command(LazyCommand(*command))
