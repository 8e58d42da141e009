"""Every field that a document takes is also written."""

from __future__ import annotations

import pytest

from app.accounts.account import Account
from app.operations.setup.accounts import OWN
from app.operations.setup.keys import key_entry
from app.operations.setup.pools import current_settings
from app.operations.setup.teams import team_entry
from app.operations.setup.webhooks import webhook_entry
from app.stores.records.api_keys import ApiKey
from app.stores.records.teams import Team
from app.stores.records.webhooks import Webhook
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
