"""`poolgate admin`, on a real store, compared with the sign-in pages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from app.stores.records.operators import Identity, SignInMethod
from app.supervision.running import RunningGateway
from tests.support.admin import PASSWORD, audited, everything_stored, turn_on_second_factor

TOKEN = re.compile(r"pgadm-[0-9A-Za-z_-]{43}")


@pytest.fixture
def ann(services: Any) -> str:
    return services.operator_stores.operators.create("ann", PASSWORD).name


class TestOperators:
    def test_one_is_made_with_a_password_from_standard_input(self, poolgate, services):
        result = poolgate("admin create Ann --password-stdin", stdin=PASSWORD)

        assert (result.exit_code, result.stdout) == (0, "Created operator 'ann'.\n")
        assert services.operator_stores.operators.authenticate("ann", PASSWORD, "")
        assert [(one["action"], one["object"], one["via"]) for one in audited(services)] == [
            ("operator.create", "ann", "cli")
        ]

    def test_or_from_a_variable(self, poolgate, services):
        assert poolgate("admin create ann --password-env WORD", WORD=PASSWORD).exit_code == 0
        assert services.operator_stores.operators.authenticate("ann", PASSWORD, "")

    @pytest.mark.parametrize(
        ("name", "password", "message"),
        [
            ("ann", "short", "at least 12"),
            ("a b", PASSWORD, "must be 1 to 64 letters"),
            ("annannannann", "annannannann", "must not be the name"),
        ],
    )
    def test_a_broken_rule_makes_none(self, poolgate, services, name, password, message):
        result = poolgate("admin create --password-stdin", name, stdin=password)

        assert result.exit_code == 1
        assert message in result.stderr
        assert not services.operator_stores.operators.exist()

    def test_a_new_password_lets_a_locked_out_owner_in(self, poolgate, services, ann):
        session = services.operator_stores.sessions.open(ann, address="", agent="")
        for _ in range(5):
            services.operator_stores.sign_in_throttle.begin(ann, "192.0.2.1")

        result = poolgate("admin password ann --password-stdin", stdin="another long password")

        assert result.exit_code == 0
        assert services.operator_stores.operators.authenticate(ann, "another long password", "")
        assert not services.operator_stores.operators.authenticate(ann, PASSWORD, "")
        assert services.operator_stores.sessions.touch(session) is None
        services.operator_stores.sign_in_throttle.begin(ann, "192.0.2.1")

    def test_a_lost_second_factor(self, poolgate, services, ann):
        turn_on_second_factor(services, ann)
        assert not services.operator_stores.operators.authenticate("ann", PASSWORD, "")

        assert poolgate("admin totp-off ann").stdout == "Turned off the second factor of 'ann'.\n"

        assert services.operator_stores.operators.authenticate("ann", PASSWORD, "")
        assert poolgate("admin totp-off ann").stdout == "'ann' has no second factor.\n"

    def test_a_second_factor_is_required(self, poolgate, services):
        assert poolgate("admin policy").stdout == "A second factor is optional.\n"

        assert poolgate("admin policy --second-factor required").stdout == "A second factor is required.\n"

        assert json.loads(poolgate("admin policy --json").stdout) == {"second_factor_required": True}
        assert [(one["action"], one["via"]) for one in audited(services)] == [("operator.policy", "cli")]
        assert poolgate("admin policy --second-factor optional").exit_code == 0
        assert not services.operator_stores.policy.current().second_factor_required

    def test_a_second_factor_that_was_lost_while_one_is_required(self, poolgate, services, ann):
        turn_on_second_factor(services, ann)
        poolgate("admin policy --second-factor required")

        assert poolgate("admin totp-off ann").exit_code == 0

        assert services.operator_stores.operators.find(ann).lacks_second_factor

    def test_single_sign_on_is_disconnected(self, poolgate, services, ann):
        services.operator_stores.operators.link(ann, Identity(SignInMethod.OIDC, "https://id", "person-1"))

        result = poolgate("admin disconnect ann")

        assert result.stdout == "Disconnected 'ann' from single sign-on; ended 0 sessions.\n"
        assert "is not connected" in poolgate("admin disconnect ann").stderr

    def test_the_last_one_stays(self, poolgate, services, ann):
        services.operator_stores.operators.create("bea", PASSWORD)
        assert poolgate("admin remove bea").exit_code == 0

        result = poolgate("admin remove ann")

        assert result.exit_code == 1
        assert "last owner" in result.stderr
        assert [one.name for one in services.operator_stores.operators.all()] == ["ann"]

    def test_the_list(self, poolgate, ann):
        (row,) = json.loads(poolgate("admin list --json").stdout)["data"]

        assert row["name"] == "ann"
        assert row["second_factor"] is False
        assert "ann" in poolgate("admin list").stdout

    @pytest.mark.parametrize("command", ["password", "totp-off", "remove", "sessions", "sign-out"])
    def test_unknown_operator(self, poolgate, command):
        result = poolgate(f"admin {command} nobody")

        assert result.exit_code in (1, 2)
        assert "no operator named 'nobody'" in result.stderr

    @pytest.mark.parametrize("command", ["role anm admin", "remove anm", "sessions anm", "disconnect anm"])
    def test_a_mistyped_operator(self, poolgate, ann, command):
        assert "Did you mean 'ann'?" in poolgate(f"admin {command}").stderr

    def test_a_mistyped_token(self, poolgate):
        poolgate("admin token create backup")

        assert "Did you mean 'backup'?" in poolgate("admin token revoke bakcup").stderr


class TestSessions:
    def test_they_are_listed_and_ended_one_by_one_and_all(self, poolgate, services, ann):
        sessions = services.operator_stores.sessions
        first, second = (sessions.open(ann, address=f"192.0.2.{n}", agent="b") for n in (1, 2))
        listed = json.loads(poolgate("admin sessions ann --json").stdout)["data"]
        assert {one["address"] for one in listed} == {"192.0.2.1", "192.0.2.2"}
        assert first not in poolgate("admin sessions ann").stdout

        assert poolgate("admin sign-out ann --session", sessions.touch(first).session.id).stdout.startswith(
            "Ended 1 session of"
        )
        assert sessions.touch(first) is None
        assert sessions.touch(second) is not None

        assert poolgate("admin sign-out ann").exit_code == 0
        assert sessions.touch(second) is None


class TestInvitation:
    def test_it_lets_the_first_one_in(self, poolgate, services):
        path, _, token = poolgate("admin invite").stdout.strip().partition("?token=")

        assert path == "/admin/first-start"
        assert services.operator_stores.operators.create_first(token, "ann", PASSWORD).name == "ann"

    def test_only_the_newest_does(self, poolgate, services):
        old, new = (poolgate("admin invite").stdout.strip().partition("?token=")[2] for _ in range(2))

        with pytest.raises(Exception, match="is not the one"):
            services.operator_stores.operators.create_first(old, "ann", PASSWORD)
        assert services.operator_stores.operators.create_first(new, "ann", PASSWORD)

    def test_of_others_when_an_operator_exists(self, poolgate, services, ann):
        path = poolgate("admin invite --role admin --expires 12h --label bea@example.com").stdout.strip()

        invitation = services.operator_stores.invitations.open(path.partition("?token=")[2])
        assert (invitation.role, invitation.label) == ("admin", "bea@example.com")
        assert invitation.expires_at - invitation.created_at == 12 * 3600
        (listed,) = json.loads(poolgate("admin invitation list --json").stdout)["data"]
        assert listed["id"] == invitation.id

        assert poolgate("admin invitation revoke", invitation.id).exit_code == 0
        assert services.operator_stores.invitations.all() == []

    def test_options_that_the_first_operator_has_not(self, poolgate):
        """They are named only if they were given."""
        assert "Warning" not in poolgate("admin invite").stderr

        warned = poolgate("admin invite --role admin --expires 12h").stderr
        assert "Warning: ignored for the first operator: --role, --expires." in warned

    def test_with_the_address_of_the_gateway_that_runs(self, poolgate, ann, monkeypatch):
        gateway = RunningGateway("http://127.0.0.1:8123/v1", "http://127.0.0.1:8124/admin/", "first")
        monkeypatch.setattr("app.cli.gateways.running", lambda _: [gateway])
        monkeypatch.setattr("app.cli.gateways.is_ready", lambda _: True)

        result = poolgate("admin invite")

        assert result.stdout.startswith("http://127.0.0.1:8124/admin/invitation?token=")
        assert "after the address" not in result.stderr

    @pytest.mark.parametrize(
        "changes", [{"store": "redis://elsewhere:6379/0"}, {"pages": ""}], ids=["another store", "no pages"]
    )
    def test_of_a_gateway_that_does_not_have_the_page(self, poolgate, ann, monkeypatch, changes):
        gateway = RunningGateway("http://127.0.0.1:8123/v1", "http://127.0.0.1:8123/admin/", "first")
        monkeypatch.setattr("app.cli.gateways.running", lambda _: [replace(gateway, **changes)])
        monkeypatch.setattr("app.cli.gateways.is_ready", lambda _: True)

        result = poolgate("admin invite")

        assert result.stdout.startswith("/admin/invitation?token=")
        assert "after the address of the gateway" in result.stderr

    @pytest.mark.parametrize("expires", ["59m", "31d", "soon"])
    def test_a_lifetime_that_is_refused(self, poolgate, ann, expires):
        result = poolgate("admin invite --expires", expires)

        assert (result.exit_code, "from 1h to 30d" in result.stderr) == (1, True)


class TestTokens:
    def test_it_is_the_only_output_and_is_not_stored(self, poolgate, services, redis_client):
        secret = poolgate("admin token create ci --expires 2127-01-01").stdout.strip()

        assert TOKEN.fullmatch(secret)
        assert services.operator_stores.admin_tokens.authenticate(secret).token.name == "ci"
        assert secret not in everything_stored(redis_client)
        assert secret not in poolgate("admin token list --json").stdout

    def test_it_is_revoked(self, poolgate, services):
        secret = json.loads(poolgate("admin token create ci --json").stdout)["token"]

        assert poolgate("admin token revoke ci").exit_code == 0

        assert services.operator_stores.admin_tokens.authenticate(secret) is None
        assert poolgate("admin token revoke ci").exit_code == 1

    @pytest.mark.parametrize(("expires", "message"), [("2001-01-01", "expired"), ("soon", "expires")])
    def test_a_bad_end(self, poolgate, expires, message):
        result = poolgate("admin token create ci --expires", expires)

        assert result.exit_code in (1, 2)
        assert message in result.stderr

    def test_a_taken_name(self, poolgate):
        poolgate("admin token create ci")

        assert "exists" in poolgate("admin token create ci").stderr
