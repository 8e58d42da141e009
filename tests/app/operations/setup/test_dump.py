"""Every field that a document takes is also written."""

from __future__ import annotations

import random

import pytest
from cryptography.fernet import Fernet

from app import administration
from app.accounts.account import Account
from app.accounts.kinds import KINDS
from app.config import Settings
from app.limits.limit_syntax import parse_limit
from app.operations.setup.accounts import OWN
from app.operations.setup.changes import Action, make_changes
from app.operations.setup.dump import dump_setup
from app.operations.setup.keys import key_entry
from app.operations.setup.plan import plan_document
from app.operations.setup.pools import current_settings
from app.operations.setup.teams import team_entry
from app.operations.setup.webhooks import webhook_entry
from app.stores.model_routes import ModelRouteRepository
from app.stores.records.api_keys import ApiKey
from app.stores.records.audit import Actor, Via
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.stores.records.teams import Team
from app.stores.records.webhooks import Webhook
from app.wiring import build
from schemas.admin import PoolChange
from schemas.setup_document import AccountEntry, KeyEntry, SecretInFile, TeamEntry, WebhookEntry

WRITTEN = {
    AccountEntry: {*Account("", "a", "openai", "http://h").public(), *OWN},
    KeyEntry: {*key_entry(ApiKey("", "a", "default"), {}), "sha256"},  # which cannot be read again
    TeamEntry: {"name", *team_entry(Team("a", "default"))},
    WebhookEntry: {"name", "url", "url_env", "secret_env", *webhook_entry(Webhook("a", ""))},
    PoolChange: current_settings(None),
}


@pytest.mark.parametrize("schema", WRITTEN, ids=lambda schema: schema.__name__)
def test_fields(schema):
    fields = [
        field.data_key or name
        for name, field in schema().fields.items()
        if not isinstance(field, SecretInFile)
    ]

    assert set(fields) <= set(WRITTEN[schema])


class Secrets(dict[str, str]):
    """A value for each name, which is a URL as well."""

    def get(self, name, default=None):
        return f"https://secret.example/{name.lower()}" if name else default


@pytest.fixture
def services(redis_url, redis_client, tmp_path):
    keys = (Fernet.generate_key().decode(),)
    return build(Settings(redis_url=redis_url, home=tmp_path, secret_keys=keys, store_timeout_seconds=5.0))


def fill(services, chance):
    """Make a pool that has something of everything; its routes and keys name accounts by *chance*."""
    kinds = {"gpu1": "compatible", "gpu2": "compatible", "ann": "chatgpt", "demo": "demo", "gone": "openai"}
    ids = []
    for name, kind in kinds.items():
        secrets = {"credential": "sk-x", "chatgpt_account_id": "acc-1"}
        protocols = KINDS[kind].protocols
        account = Account("", name, kind, "http://10.0.0.5:8000/v1", protocols=protocols, **secrets)
        ids.append(services.accounts.add("default", account).id)
    services.teams.create("default", "research", (parse_limit("5 usd/day"),), ("1 usd/day",))
    services.limits.add("default", parse_limit("500 usd/month"))
    routes = ModelRouteRepository(services.scripts)
    for number in range(8):
        steps = tuple(
            (RouteTarget(f"m{each}", tuple(chance.sample(ids, chance.randint(0, 2)))),) for each in range(2)
        )
        routes.put("default", ModelRoute(f"route-{number}", steps))
        own = tuple(chance.sample(ids, chance.randint(0, 3)))
        services.api_keys.create("default", f"key-{number}", accounts=own, team="research")
    services.accounts.remove("default", "gone", although_bound=True)


@pytest.mark.parametrize("seed", range(6))
def test_an_empty_pool_takes_every_document(services, seed):
    """Whatever a pool names: simulated accounts, sign-ins and removed accounts as well."""
    fill(services, random.Random(seed))
    stores, operations = (
        administration.setup_stores(services),
        administration.operations(services, Actor("ann", Via.CLI)),
    )
    document = dump_setup("default", stores)

    plan = plan_document(document, "empty", operations, stores, Secrets())
    for _ in make_changes(plan.changes, dry_run=False):
        pass

    assert plan.missing == {}
    skipped = {change.name for change in plan.changes if change.action is Action.SKIPPED}
    made = {key.name for key in services.api_keys.all("empty")}
    assert {"ann"} <= skipped
    assert made == {entry["name"] for entry in document["keys"]} - skipped
    for key in services.api_keys.all("empty"):  # none may use more than before
        stored = services.api_keys.find("default", key.name)
        assert bool(key.accounts) == bool(stored.accounts)
    again = plan_document(document, "empty", operations, stores, Secrets())
    assert [change.public() for change in again.changes if change.is_change] == []
