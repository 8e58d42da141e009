"""What the first start of `poolgate up` leaves in the store, and the next ones do not repeat."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.accounts.account import Account
from app.accounts.pools import DEFAULT
from app.cli.initial_setup import DemoUpstream, prepare
from app.cli.snippet import NO_MODEL
from app.config import Settings
from app.stores.records.accounts import DEMO_OFF, AccountState
from app.wiring import Services, build
from tests.support.redis import short_folder

DEMO = DemoUpstream(40123, "demo-key")


@pytest.fixture
def services(redis_url: str, redis_client: object) -> Iterator[Services]:
    with short_folder() as home:
        services = build(Settings(home=home, redis_url=redis_url))
        yield services
        services.scripts.client.close()


class TestKey:
    def test_is_made_once_and_works(self, services):
        first, second = prepare(services, DEMO, ""), prepare(services, DEMO, "")

        assert services.api_keys.authenticate(first.key).name == "demo"
        assert (second.key_name, second.key) == ("demo", None)

    def test_without_the_demo_it_is_called_first(self, services):
        assert prepare(services, None, "").key_name == "first"


class TestAccounts:
    def test_there_are_none_unless_requested(self, services):
        assert not prepare(services, None, "").has_accounts
        assert services.accounts.all(DEFAULT) == []

    def test_the_demos_models_are_listed_at_once(self, services):
        """`/v1/models` is complete before a worker has listed the models."""
        prepare(services, DEMO, "")

        assert services.accounts.find(DEFAULT, "demo").listed == ("demo",)

    def test_the_example_has_a_model_that_is_served(self, services):
        """Models of the demo are not, while another account is in use."""
        assert prepare(services, DEMO, "").model == "demo"

        services.accounts.add(DEFAULT, Account("", "main", "compatible", "http://x/v1", models=("gpt-5",)))

        assert prepare(services, DEMO, "").model == "gpt-5"

    def test_the_demo_follows_its_upstream(self, services):
        """Port and key are new at every start."""
        prepare(services, DEMO, "")
        assert prepare(services, DemoUpstream(40999, "newer"), "").has_accounts

        (account,) = services.accounts.all(DEFAULT)
        account = services.accounts.read(DEFAULT, account.id)
        assert (account.kind, account.base_url, account.credential) == (
            "demo",
            "http://127.0.0.1:40999/v1",
            "newer",
        )

    def test_a_demo_account_is_no_account_once_the_demo_is_off(self, services):
        prepare(services, DEMO, "")

        later = prepare(services, None, "")

        assert (later.has_accounts, later.model) == (False, NO_MODEL)

    def test_a_demo_account_is_paused_while_the_demo_is_off(self, services):
        prepare(services, DEMO, "")
        prepare(services, None, "", is_only_gateway=False)
        assert services.accounts.find(DEFAULT, "demo").state == AccountState.ACTIVE

        prepare(services, None, "")
        paused = services.accounts.find(DEFAULT, "demo")
        assert (paused.state, paused.reason) == (AccountState.PAUSED, DEMO_OFF)
        (finding,) = [each for each in services.doctor.check(DEFAULT) if each.names == ("demo",)]
        assert (finding.what, finding.remedy) == (
            "paused (the demo is not running)",
            "poolgate up --demo",
        )

        prepare(services, DEMO, "")
        assert services.accounts.find(DEFAULT, "demo").state == AccountState.ACTIVE

    def test_a_demo_account_that_an_operator_paused_stays_paused(self, services):
        prepare(services, DEMO, "")
        services.accounts.pause(DEFAULT, "demo")

        prepare(services, None, "")
        prepare(services, DEMO, "")

        assert services.accounts.find(DEFAULT, "demo").state == AccountState.PAUSED

    def test_an_openai_key_becomes_an_account_once(self, services):
        """A later start does not undo changes."""
        assert prepare(services, None, "sk-one").has_accounts
        prepare(services, None, "sk-two")

        account = services.accounts.find(DEFAULT, "openai")
        assert (account.kind, account.base_url, account.credential) == (
            "openai",
            "https://api.openai.com/v1",
            "sk-one",
        )
