"""The command line interface, `poolgate`."""

from __future__ import annotations

import click

from app.cli.account import account_group
from app.cli.admin import admin_group
from app.cli.alert import alert_group
from app.cli.audit import audit
from app.cli.backup import backup, restore
from app.cli.chat import chat
from app.cli.complete import completion
from app.cli.doctor import doctor
from app.cli.import_setup import import_group
from app.cli.key import key_group
from app.cli.ledger import ledger_group
from app.cli.limit import limit_group
from app.cli.login import export_account, import_account, login
from app.cli.model import model_group
from app.cli.open_pages import open_pages
from app.cli.ops import ops
from app.cli.options import Group
from app.cli.pool import pool_group
from app.cli.price import price_group
from app.cli.replay import replay
from app.cli.request import request_group
from app.cli.settings import settings
from app.cli.setup import apply, dump
from app.cli.show import show_account, show_key
from app.cli.snippet import snippet
from app.cli.status import status
from app.cli.team import team_group
from app.cli.top import top
from app.cli.up import up
from app.cli.usage import usage
from app.config import package_version


@click.group(cls=Group)
@click.version_option(package_version())
def main() -> None:
    """One OpenAI-compatible endpoint in front of a pool of upstream accounts."""


main.add_command(up)
main.add_command(status)
main.add_command(snippet)
main.add_command(chat)
main.add_command(open_pages)
main.add_command(top)
main.add_command(backup)
main.add_command(restore)
main.add_command(apply)
main.add_command(dump)
main.add_command(import_group)
main.add_command(account_group)
main.add_command(admin_group)
main.add_command(alert_group)
main.add_command(audit)
main.add_command(key_group)
main.add_command(team_group)
main.add_command(pool_group)
main.add_command(price_group)
main.add_command(model_group)
main.add_command(doctor)
main.add_command(completion)
main.add_command(request_group)
main.add_command(settings)
main.add_command(replay)
main.add_command(usage)
main.add_command(ledger_group)
main.add_command(ops)
key_group.add_command(limit_group("key"))
team_group.add_command(limit_group("team"))
pool_group.add_command(limit_group("pool"))
key_group.add_command(show_key)
account_group.add_command(show_account)
for command in (login, import_account, export_account):
    account_group.add_command(command)
