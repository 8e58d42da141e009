"""Convert a pool to a document, without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.accounts.account import Account
from app.accounts.kinds import KINDS
from app.accounts.new_account import new_account
from app.accounts.route_syntax import is_group
from app.config import Settings
from app.errors import CredentialUnreadable
from app.operations.setup.accounts import OWN
from app.operations.setup.keys import key_entry
from app.operations.setup.limits import limit_texts
from app.operations.setup.models import price_entry, route_entry
from app.operations.setup.plan import SetupStores
from app.operations.setup.pools import current_settings
from app.operations.setup.teams import team_entry
from app.operations.setup.webhooks import webhook_entry
from app.presentation.model_routes import RouteView, serialize_route
from app.presentation.names import Names
from app.stores.records.accounts import AccountState
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.stores.records.teams import Team
from app.stores.records.webhooks import Webhook
from schemas.setup_document import VERSION, AccountEntry, KeyEntry

_PLACEHOLDER = "x"  # value of fields that an account needs and a document does not have
_NOT_IN_VARIABLES = re.compile(r"[^A-Z0-9]+")
_ACCOUNT_FIELDS = [name for name in AccountEntry().fields if name not in OWN]
_KEY_FIELDS = [field.data_key or name for name, field in KeyEntry().fields.items()]


def dump_setup(pool: str, stores: SetupStores) -> dict[str, Any]:
    """
    Return *pool* as a document, which produces the same pool when it is applied to an empty one.

    Secrets are represented by names of environment variables. API keys have none: they get new secrets. Left
    out are default values; removed accounts, with what applies only to them; and simulated accounts, unless a
    route or a key names them.
    """
    defaults = current_settings(None)
    settings = current_settings(stores.find_pool(pool))
    accounts = [account for account in stores.accounts.all(pool) if account.kind in KINDS]
    names = {account.id: account.name for account in accounts}
    routes = {name: _route(route, names) for name, route in stores.routes.all(pool).items()}
    keys = [key for key in stores.api_keys.all(pool) if not key.accounts or set(key.accounts) & names.keys()]
    variables = _Variables()
    used = _used_accounts(routes, keys, names)
    teams = stores.teams.all(pool)
    limiting_teams = {team.name for team in teams if team.key_limits}
    document: dict[str, Any] = {
        "settings": {name: value for name, value in settings.items() if value != defaults[name]},
        "limits": limit_texts(stores.limits.all(pool)),
        "prices": {model: price_entry(row) for model, row in sorted(stores.prices.own(pool).items())},
        "accounts": [
            _account(_read(account, pool, stores), stores.settings, variables)
            for account in accounts
            if KINDS[account.kind].setup is not None or account.name in used
        ],
        "models": {
            name: {field: value for field, value in route_entry(view).items() if value}
            for name, view in routes.items()
            if view["steps"]
        },
        "teams": [_team(team) for team in teams],
        "keys": [_key(key, names, is_default_unlimited=key.team not in limiting_teams) for key in keys],
        "webhooks": [_webhook(webhook, variables) for webhook in stores.webhooks.all(pool)],
    }
    return {"version": VERSION} | {name: section for name, section in document.items() if section}


def left_out_of_routes(pool: str, stores: SetupStores) -> list[str]:
    """Return sentences about the targets of routes that a document of *pool* lacks: of removed accounts."""
    names = {account.id: account.name for account in stores.accounts.all(pool)}
    return [
        f"model route '{name}': step {number} lacks {_models(lost)}, whose accounts were removed"
        for name, route in stores.routes.all(pool).items()
        for number, step in enumerate(route.steps, 1)
        if (lost := [target for target in step if not _usable(target, names)])
    ]


def _models(targets: Sequence[RouteTarget]) -> str:
    return ", ".join(target.model for target in targets)


def _usable(target: RouteTarget, names: Mapping[str, str]) -> RouteTarget | None:
    """Return *target* without removed accounts, None if it had only such accounts."""
    known = tuple(each for each in target.accounts if each in names or is_group(each))
    return replace(target, accounts=known) if known or not target.accounts else None


def _route(route: ModelRoute, names: Mapping[str, str]) -> RouteView:
    """Return *route* without removed accounts, and without targets that had only such accounts."""
    steps = (tuple(filter(None, (_usable(target, names) for target in step))) for step in route.steps)
    return serialize_route(replace(route, steps=tuple(filter(None, steps))), Names({}, names))


def _used_accounts(
    routes: Mapping[str, RouteView], keys: Sequence[ApiKey], names: Mapping[str, str]
) -> set[str]:
    """Return the names of the accounts that *routes* or *keys* name."""
    in_keys = {names[each] for key in keys for each in key.accounts if each in names}
    steps = (step for route in routes.values() for step in route["steps"])
    return in_keys | {account for step in steps for target in step for account in target["accounts"]}


def _read(account: Account, pool: str, stores: SetupStores) -> Account:
    try:
        return stores.accounts.find(pool, account.name)
    except CredentialUnreadable:
        return account


class _Variables:
    """Names of environment variables; each is used once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def name(self, *parts: str) -> str:
        """Return a name made of *parts*."""
        text = "_".join(_NOT_IN_VARIABLES.sub("_", part.upper()).strip("_") for part in parts)[:100]
        text = text if text[:1].isalpha() else f"ACCOUNT_{text}"
        number, name = 1, text
        while name in self._used:
            number += 1
            name = f"{text}_{number}"
        self._used.add(name)
        return name


def _account(account: Account, settings: Settings, variables: _Variables) -> dict[str, Any]:
    if KINDS[account.kind].setup is None:
        return {"name": account.name, "kind": account.kind}
    public: Mapping[str, Any] = account.public()
    given = {"kind": account.kind, "name": account.name, "base_url": account.base_url}
    default: Mapping[str, Any] = new_account(
        given, settings, credential=_PLACEHOLDER, chatgpt_account_id=_PLACEHOLDER
    ).public()
    entry: dict[str, Any] = {"name": account.name, "kind": account.kind}
    setup = KINDS[account.kind].setup
    usual = setup.default_base_url(settings) if setup and setup.default_base_url else ""
    if account.base_url != usual:
        entry["base_url"] = account.base_url
    if not account.signed_in and (account.credential or (setup and setup.needs_credential)):
        entry["api_key_env"] = variables.name(account.name, "API_KEY")
    for name in _ACCOUNT_FIELDS:
        if name in public and public[name] != default[name]:
            value = public[name]
            entry[name] = list(value) if isinstance(value, tuple) else value
    if account.settings.secret_headers:
        entry["secret_headers_env"] = {
            header: variables.name(account.name, header) for header in account.settings.secret_headers
        }
    if account.settings.proxy.has_password:
        del entry["proxy"]
        entry["proxy_env"] = variables.name(account.name, "PROXY")
    if account.state is AccountState.PAUSED:
        entry["paused"] = True
    return entry


def _team(team: Team) -> dict[str, Any]:
    return {"name": team.name} | {name: value for name, value in team_entry(team).items() if value}


def _webhook(webhook: Webhook, variables: _Variables) -> dict[str, Any]:
    default = webhook_entry(Webhook(webhook.name, ""))
    entry = {name: value for name, value in webhook_entry(webhook).items() if value != default[name]}
    entry["url_env"] = variables.name(webhook.name, "URL")
    if webhook.secret:
        entry["secret_env"] = variables.name(webhook.name, "SECRET")
    return {"name": webhook.name, **entry}


def _key(key: ApiKey, account_names: Mapping[str, str], *, is_default_unlimited: bool) -> dict[str, Any]:
    """Return the entry of *key*; *is_default_unlimited* is whether new keys of its team have no limits."""
    default = key_entry(ApiKey("", key.name, ""), {})
    if not is_default_unlimited:
        del default["limits"]
    shown = key_entry(key, account_names)
    shown["accounts"] = [account_names[each] for each in key.accounts if each in account_names]
    changed = {
        name: shown[name] for name in _KEY_FIELDS if name in shown and shown[name] != default.get(name)
    }
    return {"name": key.name, **changed}
