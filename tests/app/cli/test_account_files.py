"""`poolgate account import` of many files, and `export --all`."""

from __future__ import annotations

import os
import stat

import orjson
import pytest

from app.cli import account_files
from tests.support.store_contents import everything_in


@pytest.fixture
def environ(environ, issuer):
    return {**environ, "POOLGATE_OAUTH_ISSUER": issuer.url}


@pytest.fixture
def folder(issuer, tmp_path):
    """A directory with the sign-ins of two people, an API key, another provider's account and a bad file."""
    folder = tmp_path / "sign-ins"
    folder.mkdir()
    for number, name in enumerate(("ann", "bob")):
        _, tokens = issuer.sign_in(email=f"{name}@example.com")
        file = orjson.loads(tokens.auth_json())
        if number:  # as CLIProxyAPI stores it
            file = {"type": "codex", **file["tokens"], "last_refresh": file["last_refresh"], "weight": 3}
        (folder / f"codex-{name}.json").write_bytes(orjson.dumps(file))
    (folder / "key.json").write_text('{"OPENAI_API_KEY": "sk-from-a-file"}')
    (folder / "gemini.json").write_text('{"type": "gemini", "access_token": "x"}')
    (folder / "broken.json").write_bytes(b"\x00\xff")
    (folder / "notes.txt").write_text("no JSON, and not read")
    return folder


def outcomes(result):
    reports = orjson.loads(result.stdout)["data"]
    return {os.path.basename(each["file"]): (each["outcome"], each["name"]) for each in reports}


class TestImport:
    def test_a_directory(self, poolgate, services, folder):
        """One bad file stops no other, and makes the status 1."""
        result = poolgate("account import", str(folder), "--json")

        assert result.exit_code == 1
        assert outcomes(result) == {
            "broken.json": ("failed", ""),
            "codex-ann.json": ("imported", "ann@example.com"),
            "codex-bob.json": ("imported", "bob@example.com"),
            "gemini.json": ("skipped", ""),
            "key.json": ("imported", "key"),
        }
        accounts = {account.name: account for account in services.accounts.all("default")}
        assert accounts["ann@example.com"].signed_in
        assert accounts["bob@example.com"].weight == 3
        assert services.accounts.find("default", "key").credential == "sk-from-a-file"

    def test_an_account_that_takes_the_place_of_a_removed_one(self, poolgate, folder):
        (folder / "broken.json").unlink()
        poolgate("account import", str(folder))
        for name in ("ann@example.com", "key"):
            poolgate(f"key create --name of-{name} --accounts {name}")
            poolgate(f"account remove {name} --force")

        again = poolgate("account import", str(folder)).stdout

        place = "it takes the place of a removed account of this name in the API key"
        for name in ("ann@example.com", "key"):
            assert f"{place} 'of-{name}'\n" in again
        assert again.count(place) == 2

    def test_an_export_of_codex_lb(self, poolgate, services, issuer, tmp_path):
        """It has one account in three forms, which become one."""
        _, tokens = issuer.sign_in(email="ann@example.com", account_id="acc-1")
        codex = orjson.loads(tokens.auth_json())
        names = {"access": "access_token", "refresh": "refresh_token", "accountId": "account_id"}
        open_code = {own: codex["tokens"][its] for own, its in names.items()}
        export = {
            "codex_auth_json": codex,
            "opencode_auth_json": {"openai": {"type": "oauth", "expires": 1_787_220_000_000, **open_code}},
            "tokens": {**codex["tokens"], "expires_at_ms": 1_787_220_000_000},
        }
        (tmp_path / "export.json").write_bytes(orjson.dumps(export))

        first, second = (poolgate("account import", str(tmp_path), "--json") for _ in range(2))

        assert outcomes(first) == {"export.json": ("imported", "ann@example.com")}
        assert outcomes(second) == {"export.json": ("unchanged", "ann@example.com")}
        (account,) = services.accounts.all("default")
        assert account.signed_in
        assert services.accounts.find("default", account.name).credential == tokens.access_token

    def test_a_report_for_people(self, poolgate, folder):
        result = poolgate("account import", str(folder))

        assert f"{folder}/codex-ann.json: imported 'ann@example.com': plus\n" in result.stdout
        assert f"{folder}/gemini.json: skipped: an account of gemini\n" in result.stdout
        assert result.stdout.endswith("Pool 'default': 3 imported, 1 skipped, 1 failed.\n")
        assert f"{folder}/broken.json: failed: not JSON\n" in result.stderr
        assert "sk-from-a-file" not in result.output

    def test_again(self, poolgate, services, folder):
        """A second import changes nothing, and names the accounts it found."""
        poolgate("account import", str(folder))
        audited = len(services.audit.page().entries)

        result = poolgate("account import", str(folder), "--json")

        found = outcomes(result)
        assert {found[f"{name}.json"][0] for name in ("codex-ann", "codex-bob", "key")} == {"unchanged"}
        assert "Only one program" not in result.stderr
        assert len(services.audit.page().entries) == audited

    def test_newer_tokens_update_the_account(self, poolgate, services, issuer, tmp_path):
        paths = []
        for number, seconds in enumerate((1000, 2000)):
            _, tokens = issuer.sign_in(seconds, email="ann@example.com", account_id="acc-1")
            paths.append(tmp_path / f"{number}.json")
            paths[-1].write_bytes(tokens.auth_json())
        poolgate("account import", str(paths[0]))
        poolgate("account set ann@example.com --cap 7")

        result = poolgate("account import", str(paths[1]), "--json")

        assert result.exit_code == 0
        assert outcomes(result) == {"1.json": ("updated", "ann@example.com")}
        account = services.accounts.find("default", "ann@example.com")
        assert (account.credential, account.cap) == (tokens.access_token, 7)

    def test_older_tokens_do_not(self, poolgate, issuer, tmp_path):
        _, tokens = issuer.sign_in(email="ann@example.com", account_id="acc-1")
        (tmp_path / "new.json").write_bytes(tokens.auth_json())
        poolgate("account import", str(tmp_path / "new.json"))
        _, tokens = issuer.sign_in(email="ann@example.com", account_id="acc-1")
        old = orjson.loads(tokens.auth_json()) | {"last_refresh": "2026-01-01T00:00:00Z"}
        (tmp_path / "old.json").write_bytes(orjson.dumps(old))

        result = poolgate("account import", str(tmp_path / "old.json"))

        assert "unchanged 'ann@example.com': the stored sign-in is newer" in result.stdout

    def test_two_workspaces_of_one_person(self, poolgate, issuer, tmp_path):
        """Accounts with the same address differ in their ids: both are imported."""
        for number in range(2):
            _, tokens = issuer.sign_in(email="ann@example.com", account_id=f"acc-{number}")
            (tmp_path / f"{number}.json").write_bytes(tokens.auth_json())

        result = poolgate("account import", str(tmp_path), "--json")

        assert outcomes(result) == {
            "0.json": ("imported", "ann@example.com"),
            "1.json": ("imported", "ann@example.com-2"),
        }

    def test_a_disabled_account_is_paused(self, poolgate, services, issuer):
        _, tokens = issuer.sign_in()
        file = {
            "type": "codex",
            **orjson.loads(tokens.auth_json())["tokens"],
            "disabled": True,
            "prefix": "p",
        }

        result = poolgate("account import -", stdin=orjson.dumps(file))

        assert "paused, as it is disabled in the file; not applied: prefix" in result.stdout
        assert services.accounts.all("default")[0].state == "paused"

    def test_settings_of_cliproxyapi(self, poolgate, services, issuer):
        """A proxy, headers and names of models are those of the account; secrets are stored as such."""
        _, tokens = issuer.sign_in(email="ann@example.com")
        file = {
            **{"type": "codex", **orjson.loads(tokens.auth_json())["tokens"]},
            **{"proxy_url": "socks5://ann:pass-1@proxy:1080", "priority": 3},
            "headers": {"X-Tenant": "lab", "X-Token": "header-secret"},
            "model_aliases": [{"name": "gpt-5.2-codex", "alias": "codex"}],
        }

        result = poolgate("account import -", stdin=orjson.dumps(file))

        assert "not applied: priority\n" in result.stdout
        assert not {"pass-1", "header-secret"} & set(result.output.replace(":", " ").split())
        settings = services.accounts.find("default", "ann@example.com").settings
        assert settings.proxy.full_url == "socks5://ann:pass-1@proxy:1080"
        assert settings.headers == {"X-Tenant": "lab"}
        assert settings.secret_headers == {"X-Token": "header-secret"}
        assert settings.model_names == {"codex": "gpt-5.2-codex"}

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({"proxy_url": "ftp://p"}, "proxy_url (proxy must be"),
            ({"proxy_url": 7}, "proxy_url (proxy must be a string"),
            ({"headers": {"Host": "x"}}, "headers (headers.Host is set by the gateway itself"),
            ({"headers": {"X-From": "$X-From"}}, "headers (a value of the caller's request cannot"),
            ({"headers": [1]}, "headers (must be an object)"),
            ({"model_aliases": [1]}, "model_aliases (must be a list of objects"),
            ({"model_aliases": {"a*": "b"}}, "model_aliases (model_names.a* must be a name"),
            ({"model_aliases": "x"}, "model_aliases (model_names must be an object"),
        ],
    )
    def test_settings_that_cannot_be_applied(self, poolgate, services, issuer, settings, reason):
        """The account is imported without them, and the report has the reason."""
        _, tokens = issuer.sign_in(email="ann@example.com")
        file = {"type": "codex", **orjson.loads(tokens.auth_json())["tokens"], **settings}

        result = poolgate("account import -", stdin=orjson.dumps(file))

        assert f"not applied: {reason}" in result.stdout
        assert services.accounts.find("default", "ann@example.com").signed_in

    def test_a_sign_in_of_another_pool(self, poolgate, folder):
        poolgate("account import", str(folder))

        result = poolgate("account import", str(folder / "codex-ann.json"), "--pool", "team")

        assert result.exit_code == 1
        assert "failed 'ann@example.com': it is an account of pool 'default' already" in result.stderr

    def test_no_secret_is_stored_in_clear(self, poolgate, folder, redis_client):
        poolgate("account import", str(folder))

        assert "sk-from-a-file" not in everything_in(redis_client)


class TestFiles:
    def test_what_is_no_file(self, poolgate, tmp_path):
        """A pipe is not opened, and a link is followed."""
        folder = tmp_path / "folder"
        folder.mkdir()
        os.mkfifo(folder / "pipe.json")
        (folder / "gone.json").symlink_to("/nowhere")
        (tmp_path / "real").write_text('{"OPENAI_API_KEY": "sk-1"}')
        (folder / "link.json").symlink_to(tmp_path / "real")

        result = poolgate("account import", str(folder))

        assert f"{folder}/pipe.json: failed: not a file" in result.stderr
        assert f"{folder}/gone.json: failed: not a file" in result.stderr
        assert "link.json: imported 'link'" in result.stdout

    def test_a_huge_file(self, poolgate, tmp_path, monkeypatch):
        monkeypatch.setattr(account_files, "MAX_FILE_BYTES", 10)
        (tmp_path / "huge.json").write_text('{"OPENAI_API_KEY": "sk-1"}')

        result = poolgate("account import", str(tmp_path))

        assert result.exit_code == 1
        assert f"{tmp_path}/huge.json: failed: larger than 10 bytes\n" in result.stderr
        assert "Only one program" not in result.stderr  # nothing was imported

    def test_too_many_files(self, poolgate, tmp_path, monkeypatch):
        monkeypatch.setattr(account_files, "MAX_FILES", 2)
        for number in range(3):
            (tmp_path / f"{number}.json").write_text("{}")

        result = poolgate("account import", str(tmp_path))

        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: {tmp_path}: more than 2 files at once\n")

    def test_an_empty_directory(self, poolgate, tmp_path):
        result = poolgate("account import", str(tmp_path))

        assert (result.exit_code, result.stderr) == (1, f"Error: {tmp_path}: no *.json file in it\n")

    def test_a_name_is_for_one_file(self, poolgate, folder):
        files = [str(folder / f"codex-{name}.json") for name in ("ann", "bob")]

        result = poolgate("account import", *files, "--name", "ann")

        assert result.exit_code == 2
        assert "--name is for one FILE" in result.stderr


class TestExportAll:
    def test_to_a_file_that_is_imported_elsewhere(self, poolgate, services, folder, tmp_path, redis_client):
        poolgate("account import", str(folder))
        tokens = services.credentials.read("default", services.accounts.find("default", "ann@example.com"))
        out = tmp_path / "all.json"

        result = poolgate("account export --all", str(out))

        assert result.stdout == f"Wrote 2 sign-ins of pool 'default' to {out}.\n"
        assert "1 account without a sign-in was left out" in result.stderr
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        redis_client.flushall()
        result = poolgate("account import", str(out))
        assert result.stdout.endswith("Pool 'default': 2 imported.\n")
        account = services.accounts.find("default", "ann@example.com")
        assert services.credentials.read("default", account) == tokens

    def test_each_is_in_the_audit_log(self, poolgate, services, folder, tmp_path):
        poolgate("account import", str(folder))
        poolgate("account export --all", str(tmp_path / "all.json"))

        exported = [each for each in services.audit.page().entries if each["action"] == "account.export"]
        assert len(exported) == 2

    def test_an_existing_file_is_not_replaced(self, poolgate, tmp_path):
        (tmp_path / "all.json").write_text("mine")

        assert poolgate("account export --all", str(tmp_path / "all.json")).exit_code == 2
        assert (tmp_path / "all.json").read_text() == "mine"

    def test_printed_with_a_hyphen(self, poolgate, folder):
        poolgate("account import", str(folder))

        result = poolgate("account export --all -")

        assert [each["name"] for each in orjson.loads(result.stdout)["accounts"]] == [
            "ann@example.com",
            "bob@example.com",
        ]

    @pytest.mark.parametrize("arguments", ["", "ann --all -"])
    def test_one_of_name_and_all(self, poolgate, arguments):
        assert poolgate(f"account export {arguments}").exit_code == 2
