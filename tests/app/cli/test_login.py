"""`poolgate account login`, `import` and `export`."""

from __future__ import annotations

import orjson
import pytest

from app.accounts.oauth_tokens import tokens_from_auth_json
from tests.support.store_contents import everything_in


@pytest.fixture
def environ(environ, issuer):
    return {**environ, "POOLGATE_OAUTH_ISSUER": issuer.url}


def test_login_by_device(poolgate, services, issuer, monkeypatch):
    """Instructions are printed on standard error, and the account is available at once."""
    start = services.upstream.oauth.__class__.start_device

    def entered(oauth):
        device = start(oauth)
        issuer.approve(device.user_code)
        return device

    monkeypatch.setattr(services.upstream.oauth.__class__, "start_device", entered)

    result = poolgate("account login --name ann")

    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("Signed in account 'ann' (sign_in")
    assert "/codex/device and enter the code CODE-" in result.stderr
    account = services.accounts.find("default", "ann")
    assert account.signed_in
    assert account.chatgpt_account_id == services.credentials.read("default", account).account_id


def test_login_needs_a_name_that_can_be_one(poolgate):
    result = poolgate("account login --name", "a b")

    assert result.exit_code == 2
    assert "Open" not in result.stderr


def test_a_name_of_another_kind(poolgate):
    poolgate("account add openai --name main --api-key-env K", K="sk-1")

    result = poolgate("account login --name main")

    assert (result.exit_code, result.stderr) == (
        1, "Error: Account 'main' is of kind openai, which has no sign-in\n"
    )  # fmt: skip


@pytest.fixture
def file(issuer, tmp_path):
    _, tokens = issuer.sign_in()
    path = tmp_path / "auth.json"
    path.write_bytes(tokens.auth_json())
    return path, tokens


class TestImport:
    def test_a_sign_in_of_codex(self, poolgate, services, file):
        path, tokens = file

        result = poolgate("account import", str(path), "--name", "ann")

        assert result.stdout == f"Signed in account 'ann' ({tokens.email}, plus) in pool 'default'.\n"
        assert "Only one program may use this sign-in" in result.stderr
        account = services.accounts.find("default", "ann")
        assert (account.credential, account.expires_at) == (tokens.access_token, tokens.expires_at)
        assert services.credentials.read("default", account).refresh_token == tokens.refresh_token

    def test_from_standard_input(self, poolgate, file):
        path, _ = file

        result = poolgate("account import - --name ann --pool team --json", stdin=path.read_bytes())

        assert orjson.loads(result.stdout)["kind"] == "chatgpt"

    def test_tokens_are_nowhere_in_clear(self, poolgate, file, redis_client):
        path, tokens = file
        result = poolgate("account import", str(path), "--name", "ann")

        for secret in (tokens.access_token, tokens.refresh_token, tokens.id_token):
            assert secret not in everything_in(redis_client)
            assert secret not in result.output

    def test_a_known_account_is_signed_in_again(self, poolgate, services, issuer, tmp_path):
        """The account retains its id and settings, and becomes active again if its sign-in was refused."""
        for number in range(2):
            _, tokens = issuer.sign_in(account_id="acc-same")
            (tmp_path / f"{number}.json").write_bytes(tokens.auth_json())
        poolgate("account import", str(tmp_path / "0.json"), "--name", "ann")
        former = services.accounts.find("default", "ann")
        dead = {"state": "credential_dead", "reason": "r", "wait_ms": 0, "retest_wait_ms": 0}
        services.accounts.observe("default", former.id, {}, outcome=dead)

        poolgate("account import", str(tmp_path / "1.json"), "--name", "ann")

        account = services.accounts.find("default", "ann")
        assert (account.id, account.state, account.rotation) == (former.id, "active", 2)
        assert account.credential == tokens.access_token

    def test_an_account_with_a_token_alone_gets_a_sign_in(self, poolgate, services, issuer, tmp_path):
        _, tokens = issuer.sign_in(account_id="acc-1")
        (tmp_path / "auth.json").write_bytes(tokens.auth_json())
        poolgate("account add chatgpt --name ann --account-id acc-1 --access-token-env T", T="bare")

        poolgate("account import", str(tmp_path / "auth.json"), "--name", "ann")

        account = services.accounts.find("default", "ann")
        assert (account.credential, account.signed_in) == (tokens.access_token, True)

    def test_another_persons_sign_in_is_refused(self, poolgate, services, issuer, tmp_path):
        for number in range(2):
            (tmp_path / f"{number}.json").write_bytes(issuer.sign_in()[1].auth_json())
        poolgate("account import", str(tmp_path / "0.json"), "--name", "ann")

        result = poolgate("account import", str(tmp_path / "1.json"), "--name", "ann")

        assert result.exit_code == 1
        assert "not the ChatGPT account of 'ann'" in result.stderr

    @pytest.mark.parametrize("content", [b"", b"{}", b'{"OPENAI_API_KEY": "sk-secret"}'])
    def test_a_file_without_a_sign_in(self, poolgate, content):
        result = poolgate("account import - --name ann", stdin=content)

        assert result.exit_code == 1
        assert "sk-secret" not in result.output

    def test_a_file_that_is_not_there(self, poolgate):
        assert poolgate("account import /nowhere/auth.json --name ann").exit_code == 2


class TestExport:
    def test_is_what_was_imported(self, poolgate, file):
        path, tokens = file
        poolgate("account import", str(path), "--name", "ann")

        result = poolgate("account export ann")

        assert tokens_from_auth_json(result.stdout_bytes) == tokens

    def test_is_of_the_current_tokens(self, poolgate, services, file):
        poolgate("account import", str(file[0]), "--name", "ann")
        account = services.accounts.find("default", "ann")
        renewed = services.upstream.refresher.refresh_after_401("default", account)

        result = poolgate("account export ann")

        assert tokens_from_auth_json(result.stdout_bytes).access_token == renewed.credential

    def test_an_account_without_a_sign_in(self, poolgate):
        poolgate("account add chatgpt --name bare --account-id a --access-token-env T", T="t")

        result = poolgate("account export bare")

        assert (result.exit_code, result.stderr) == (1, "Error: Account 'bare' has no sign-in\n")


def test_an_account_that_takes_the_place_of_a_removed_one(poolgate, file):
    """The keys in which it does are reported, a disabled one too."""
    path, _ = file
    poolgate("account import --name ann", str(path))
    poolgate("key create --name bob --accounts ann")
    poolgate("key disable bob")
    poolgate("account remove ann")
    note = "it takes the place of a removed account of this name in the API key 'bob' (disabled)"

    first, again = (poolgate("account import --name ann", str(path)).stderr for _ in range(2))

    assert f"Note: account 'ann': {note}.\n" in first
    assert "Note:" not in again
