"""`poolgate account`, on a real store, compared with the view of the service."""

from __future__ import annotations

import json

import pytest

from app.accounts.account import Account
from app.cli.account_add import show_first_listing
from app.operations.first_listing import FirstListing
from tests.support.store_contents import everything_in

SECRET = "sk-upstream-0123456789"


def add(poolgate, name="main", *args):
    return poolgate("account add openai --name", name, "--api-key-env", "KEY", *args, KEY=SECRET)


class TestAddOpenai:
    def test_the_service_has_it_at_once(self, poolgate, services):
        result = add(poolgate)

        account = services.accounts.find("default", "main")
        assert result.stdout == f"Added openai account 'main' ({account.id}) to pool 'default'.\n"
        assert result.exit_code == 0
        assert "does not answer yet: The upstream's host name could not be resolved" in result.stderr
        assert (account.kind, account.base_url) == ("openai", "https://api.openai.com/v1")
        assert (account.credential, account.protocols) == (SECRET, ("chat", "responses"))
        assert services.pools.names() == ["default"]

    def test_the_command_to_find_out_more_names_the_pool(self, poolgate):
        result = add(poolgate, "main", "--pool", "team-b")

        assert "see poolgate account test main --pool team-b." in result.stderr

    def test_a_wrong_base_url_is_not_retried(self, capsys):
        """It cannot be changed either."""
        hint = "http://127.0.0.1:1/v1/models answers: the base URL probably has to end in /v1"
        show_first_listing("team-b", "gpu2", FirstListing(error="Not Found (404)", code="x", hint=hint))

        remedy = capsys.readouterr().err.splitlines()[-1]
        assert remedy == (
            "A base URL cannot be changed: poolgate account remove gpu2 --pool team-b, then add it again."
        )

    def test_every_option(self, poolgate, services):
        result = add(
            poolgate,
            "eu.1",
            *("--base-url", "https://eu.api.openai.com/v1/", "--models", "gpt-5, o4-mini,gpt-5"),
            *("--cap", "7", "--weight", "3", "--group", "2", "--pool", "team-b"),
        )

        assert result.exit_code == 0
        account = services.accounts.find("team-b", "eu.1")
        assert account.base_url == "https://eu.api.openai.com/v1"
        assert account.models == ("gpt-5", "o4-mini")
        assert (account.cap, account.weight, account.group) == (7, 3, 2)
        assert services.pools.names() == ["team-b"]

    def test_the_default_base_url_is_a_setting(self, poolgate, services):
        poolgate(
            "account add openai --name main --api-key-env KEY", KEY=SECRET, OPENAI_BASE_URL="http://up.test"
        )

        assert services.accounts.find("default", "main").base_url == "http://up.test"

    def test_json(self, poolgate, services):
        result = add(poolgate, "main", "--json")

        added = json.loads(result.stdout)
        account = services.accounts.find("default", "main")
        assert added.pop("first_look")["ok"] is False
        assert added == json.loads(json.dumps(account.public()))

    def test_key_from_standard_input(self, poolgate, services):
        """A newline at its end, as `echo` and editors write it, is removed."""
        result = poolgate("account add openai --name main --api-key-stdin", stdin=f"{SECRET}\r\n")

        assert result.exit_code == 0
        assert services.accounts.find("default", "main").credential == SECRET

    def test_the_key_is_nowhere(self, poolgate, redis_client):
        """It is neither printed nor stored unencrypted, with any option."""
        printed = add(poolgate).output + add(poolgate).output + add(poolgate, "b", "--json").output
        printed += poolgate("account list").output + poolgate("account list --json").output

        assert SECRET not in printed
        assert SECRET not in everything_in(redis_client)

    def test_a_taken_name(self, poolgate):
        add(poolgate)

        result = add(poolgate)

        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "Error: An account named 'main' exists in pool 'default'\n"

    def test_a_taken_name_in_json(self, poolgate):
        add(poolgate)

        result = add(poolgate, "main", "--json")

        assert (result.exit_code, result.stdout) == (1, "")
        assert json.loads(result.stderr) == {
            "error": {
                "message": "An account named 'main' exists in pool 'default'",
                "type": "invalid_request_error",
                "code": "invalid_request_error",
                "param": "name",
            }
        }

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (("--name", "a b"), "name must be 1 to 64"),
            (("--name", "a/b"), "name must be 1 to 64"),
            (("--name", "x" * 65), "name must be 1 to 64"),
            (("--base-url", "ftp://up.test"), "--base-url must be an http or https URL"),
            (("--base-url", "https://user:pw@up.test"), "--base-url must not hold credentials"),
            (("--cap", "0"), "cap must be an integer from 1"),
            (("--cap", "many"), "not a valid integer"),
            (("--weight", "-1"), "weight must be an integer from 1"),
            (("--models", " , "), "must be one or more, separated by commas"),
            (("--pool", "Team B"), "cannot name a pool"),
        ],
    )
    def test_wrong_usage(self, poolgate, services, args, message):
        """The error is one line that names the problem, and nothing is created."""
        result = add(poolgate, "main", *args)

        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.count("\n") == 1
        assert message in result.stderr
        assert services.pools.names() == []

    def test_a_key_that_fits_no_header(self, poolgate):
        result = poolgate("account add openai --name a --api-key-stdin", stdin="sk-1\nsk-2\n")

        assert result.exit_code == 1
        assert result.stderr == "Error: credential must be one line of printable ASCII without spaces\n"


class TestAddCompatible:
    def test_without_a_key(self, poolgate, services):
        result = poolgate("account add compatible --name gpu --base-url http://127.0.0.1:1/v1")

        assert result.exit_code == 0
        account = services.accounts.find("default", "gpu")
        assert (account.kind, account.credential, account.protocols) == ("compatible", "", ("chat",))

    def test_its_models_are_listed_at_once(self, poolgate, services, upstream):
        result = poolgate("account add compatible --name gpu --base-url", upstream.base_url("a"))

        listed = services.accounts.find("default", "gpu").listed
        assert len(listed) > 1
        assert f"Account 'gpu' is reachable, {len(listed)} models.\n" in result.stdout

    def test_only_if_it_answers(self, poolgate, services):
        result = poolgate("account add compatible --name gpu --base-url http://127.0.0.1:1/v1 --must-answer")

        assert result.exit_code == 1
        assert "The account was not added: The upstream refused the connection" in result.stderr
        assert services.accounts.all("default") == []

    def test_both_protocols_and_a_key(self, poolgate, services):
        poolgate(
            "account add compatible --name gpu --base-url http://gpu/v1 --wires chat,responses",
            *("--api-key-env", "K"),
            K=SECRET,
        )

        account = services.accounts.find("default", "gpu")
        assert (account.credential, account.protocols) == (SECRET, ("chat", "responses"))

    def test_a_base_url_is_needed(self, poolgate):
        result = poolgate("account add compatible --name gpu")

        assert result.exit_code == 2
        assert result.stderr == "Error: --base-url is required for a compatible account\n"

    def test_an_unknown_protocol(self, poolgate):
        result = poolgate("account add compatible --name gpu --base-url http://gpu/v1 --wires telepathy")

        assert result.exit_code == 2
        assert "--wires must be one of chat, responses" in result.stderr


class TestAddChatgpt:
    def test_by_its_access_token(self, poolgate, services):
        result = poolgate(
            "account add chatgpt --name ann --account-id user-1 --access-token-env T",
            T="eyJ.token",
            POOLGATE_CHATGPT_BASE_URL="https://chatgpt.test/api",
        )

        assert result.exit_code == 0
        account = services.accounts.find("default", "ann")
        assert (account.kind, account.base_url) == ("chatgpt", "https://chatgpt.test/api")
        assert (account.chatgpt_account_id, account.credential) == ("user-1", "eyJ.token")
        assert account.protocols == ("responses",)

    def test_an_account_id_is_needed(self, poolgate):
        result = poolgate("account add chatgpt --name ann --access-token-stdin", stdin="t")

        assert result.exit_code == 2
        assert "Missing option '--account-id'" in result.stderr


class TestList:
    def test_for_people(self, poolgate, services):
        add(poolgate, "a", "--models", "gpt-5")
        add(poolgate, "longer-name", "--cap", "5")
        services.accounts.pause("default", "a")
        for account in services.accounts.all("default"):
            services.accounts.observe("default", account.id, {}, answered=True)

        assert poolgate("account list").stdout.splitlines() == [
            "NAME         KIND    STATE                    "
            "IN FLIGHT  CAP  WEIGHT  GROUP  ATTEMPTS  FAILED  RESCUED  WEBSOCKET  MODELS  BASE URL",
            "a            openai  paused (by an operator)  "
            "        0  100       1      0         0       0        0  off        gpt-5   https://api.openai.com/v1",
            "longer-name  openai  not used yet             "
            "        0    5       1      0         0       0        0  off        all     https://api.openai.com/v1",
        ]

    def test_when_an_account_is_back(self, poolgate, services, redis_client):
        account = services.accounts.add("default", Account("", "a", "openai", "http://up.test"))
        redis_client.hset(
            f"pg:{{default}}:a:{account.id}",
            mapping={"state": "window_spent", "reason": "", "until_ms": "1801000000000"},
        )

        assert "window spent until 2027-01-26 21:46:40Z" in poolgate("account list").stdout
        assert "window spent until 2027-01-26T21:46:40+00:00," in poolgate("account list --csv").stdout

    def test_an_endpoint_that_is_missing(self, poolgate, services, redis_client):
        """No failure takes such an account out of use, so its state alone would look well."""
        account = services.accounts.add("default", Account("", "main", "openai", "http://up.test"))
        streak = {
            "attempts": 5,
            "unanswered": 5,
            "streak": 5,
            "streak_ok": 0,
            "streak_of": "endpoint_missing",
        }
        redis_client.hset(f"pg:{{default}}:a:{account.id}", mapping=streak)

        assert (
            "no answer yet (5 failures in a row, 404 or 405: its server does not have the endpoint)"
            in poolgate("account list").stdout
        )

    def test_for_scripts(self, poolgate, services):
        add(poolgate, "b")
        add(poolgate, "a")

        listed = json.loads(poolgate("account list --json").stdout)

        assert listed["object"] == "list"
        assert [(one["name"], one["state"]) for one in listed["data"]] == [("a", "active"), ("b", "active")]
        shown = json.loads(poolgate("account show a --json").stdout)
        assert set(shown) - set(listed["data"][0]) == {"usage_today", "recent_errors"}

    def test_none(self, poolgate):
        """Nothing is printed but advice, which is for people and so on standard error."""
        result = poolgate("account list")

        assert (result.exit_code, result.stdout) == (0, "")
        assert "poolgate account add --help" in result.stderr
        assert json.loads(poolgate("account list --json").stdout) == {"object": "list", "data": []}

    def test_no_such_pool(self, poolgate, services):
        result = poolgate("account list --pool typo")

        assert (result.exit_code, result.stderr) == (1, "Error: There is no pool named 'typo'\n")
        assert services.pools.names() == []


class TestPauseAndResume:
    def test_round_trip(self, poolgate, services):
        add(poolgate)

        assert poolgate("account pause main").stdout == "Paused account 'main' in pool 'default'.\n"
        assert services.accounts.find("default", "main").state == "paused"
        assert poolgate("account resume main").stdout == "Resumed account 'main' in pool 'default'.\n"
        assert services.accounts.find("default", "main").state == "active"

    def test_json(self, poolgate):
        add(poolgate)

        assert json.loads(poolgate("account pause main --json").stdout)["state"] == "paused"
        assert json.loads(poolgate("account resume main --json").stdout)["state"] == "active"

    @pytest.mark.parametrize("command", ["pause", "resume", "remove"])
    def test_an_unknown_name(self, poolgate, command):
        result = poolgate(f"account {command} nobody")

        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "Error: There is no account named 'nobody' in pool 'default'\n"

    @pytest.mark.parametrize("command", ["pause", "resume", "remove"])
    def test_an_unknown_name_in_json(self, poolgate, command):
        error = json.loads(poolgate(f"account {command} nobody --json").stderr)["error"]

        assert (error["code"], error["param"]) == ("not_found", "name")


def test_forget_refused(poolgate, services):
    add(poolgate)
    account = services.accounts.find("default", "main")
    services.accounts.learn_refused("default", account, "chat", "m", ["store"])

    result = poolgate("account forget-refused main")

    assert result.stdout == "Forgot the refusals of account 'main' in pool 'default'.\n"
    assert services.accounts.find("default", "main").refused == ()


class TestSet:
    def test_its_base_url(self, poolgate):
        """It stays, and the error names what to do."""
        add(poolgate)

        refused = poolgate("account set main --base-url http://127.0.0.1:1/v1")

        assert refused.exit_code == 2
        assert "remove the account, then add it again with the other URL" in refused.stderr
        assert "--base-url" not in poolgate("account set --help").stdout

    def test_holds_at_once(self, poolgate, services):
        """What is not named stays, its credential too."""
        add(poolgate, "main", "--weight", "3", "--models", "gpt-5")

        result = poolgate("account set main --cap 20 --group 2 --models o3,o3,gpt-5 --stream-upstream never")

        account = services.accounts.find("default", "main")
        names = "models, cap, group, stream_upstream"
        assert result.stdout == f"Changed account 'main' in pool 'default': {names}.\n"
        assert account.stream_upstream == "never"
        assert (account.cap, account.weight, account.group) == (20, 3, 2)
        assert (account.models, account.credential) == (("o3", "gpt-5"), SECRET)

    def test_every_model_again(self, poolgate, services):
        add(poolgate, "main", "--models", "gpt-5")

        report = json.loads(poolgate("account set main --all-models --json").stdout)

        assert (report["models"], services.accounts.find("default", "main").models) == ([], ())

    @pytest.mark.parametrize("wrong", ["", "--cap 0", "--weight x", "--models ,", "--models a --all-models"])
    def test_what_cannot_be_set(self, poolgate, wrong):
        add(poolgate)

        assert poolgate(f"account set main {wrong}").exit_code == 2

    def test_another_api_key(self, poolgate, services):
        """Its id, history and bound keys stay."""
        add(poolgate)
        before = services.accounts.find("default", "main")

        result = poolgate("account set main --api-key-env OTHER", OTHER="sk-another")

        after = services.accounts.find("default", "main")
        assert result.stdout == "Changed account 'main' in pool 'default': API key.\n"
        assert result.stderr.startswith("Warning: account 'main' does not answer yet: ")
        assert (after.id, after.credential) == (before.id, "sk-another")
        assert "sk-another" not in poolgate("audit --json").stdout


class TestRemove:
    @pytest.mark.parametrize(("command", "question"), [("account", "Remove account"), ("key", "Remove key")])
    def test_a_prompt_in_a_terminal(self, poolgate, services, monkeypatch, command, question):
        """Nothing is removed without a confirmation; --yes skips the question."""
        add(poolgate)
        poolgate("key create --name main")
        monkeypatch.setattr("app.cli.prompts.is_terminal", lambda: True)

        refused = poolgate(f"{command} remove main", stdin="n\n")

        assert (refused.exit_code, question in refused.stderr) == (1, True)
        assert services.accounts.find("default", "main")
        assert services.api_keys.find("default", "main")
        assert poolgate(f"{command} remove main --yes").exit_code == 0

    def test_it_is_gone(self, poolgate, services):
        add(poolgate)

        result = poolgate("account remove main")

        assert result.stdout == "Removed account 'main' from pool 'default'.\n"
        assert services.accounts.all("default") == []

    def test_json(self, poolgate):
        add(poolgate)

        assert json.loads(poolgate("account remove main --json").stdout) == {"name": "main", "deleted": True}

    def test_model_routes_that_name_it(self, poolgate):
        add(poolgate)
        for route in ("fast", "slow"):
            poolgate(f"model set {route} --to gpt-5@main")

        removed = poolgate("account remove main")

        names = "the model routes 'fast', 'slow' will no longer use it"
        lost = "the model routes 'fast', 'slow' will have no account left, so their requests will fail"
        assert removed.stderr == f"Warning: account 'main': {names}.\nWarning: account 'main': {lost}.\n"
        assert removed.stdout == "Removed account 'main' from pool 'default'.\n"

    def test_several(self, poolgate):
        """Warnings are about the accounts that remain after all were removed, each once."""
        for name in ("gpu1", "gpu2", "gpu3"):
            add(poolgate, name)
        poolgate("model set fast --to gpt-5@gpu1,gpu2")
        poolgate("model set slow --to gpt-5@gpu1,gpu3")
        poolgate("key create --name ann --accounts gpu1,gpu2")
        poolgate("key create --name bob --accounts gpu2,gpu3")

        removed = poolgate("account remove gpu1 gpu2 --force")

        assert removed.stderr.splitlines() == [
            "Warning: the model routes 'fast', 'slow' will no longer use the removed accounts.",
            "Warning: the model route 'fast' will have no account left, so its requests will fail.",
            "Warning: the API key 'ann' will have no account left, so its requests will fail.",
        ]
        assert "'gpu1'" not in poolgate("account remove gpu3 gone").stderr

    def test_keys_that_are_restricted_to_it(self, poolgate, monkeypatch):
        """It stays, with an error alone: no question, and no warning of what a removal leaves behind."""
        add(poolgate)
        poolgate("model set fast --to gpt-5@main")
        poolgate("key create --name ann --accounts main")
        monkeypatch.setattr("app.cli.prompts.is_terminal", lambda: True)

        refused = poolgate("account remove main")

        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr.startswith("Error: Account 'main' stays, keys are restricted to it: 'ann'.")
        assert "Warning" in poolgate("account remove main --force --yes").stderr

    def test_a_disabled_key_that_is_restricted_to_it(self, poolgate):
        add(poolgate)
        poolgate("key create --name ann --accounts main")
        poolgate("key disable ann")

        assert poolgate("account remove main").exit_code == 0

    def test_a_new_account_takes_its_place(self, poolgate):
        """Where routes and keys named the removed one, which are shown with its name until then."""
        add(poolgate)
        poolgate("model set fast --to gpt-5@main")
        poolgate("key create --name ann --accounts main")
        poolgate("key disable ann")
        poolgate("account remove main")
        assert "gpt-5@main (removed)" in poolgate("model list").stdout
        assert "gpt-5@main (removed)" in poolgate("model show fast").stdout
        assert "main (removed)" in poolgate("key show ann").stdout

        added = add(poolgate)

        place = "it takes the place of a removed account of this name in the model route 'fast'"
        assert f"Note: account 'main': {place} and the API key 'ann' (disabled).\n" in added.stderr
        for command in ("model list", "model show fast", "key show ann"):
            assert "(removed)" not in poolgate(command).stdout
        assert '"api_keys":"ann"' in poolgate("audit --json").stdout.replace(" ", "")

    def test_bound_keys(self, poolgate, services):
        """It stays, and the keys are named, until it is forced."""
        add(poolgate)
        poolgate("key create --name ann --accounts main")

        refused = poolgate("account remove main")

        assert refused.exit_code == 1
        assert refused.stderr == (
            "Error: Account 'main' stays, keys are restricted to it: 'ann'. Give them other accounts, "
            "or remove it nevertheless with `force` (commands: --force)\n"
        )
        assert [account.name for account in services.accounts.all("default")] == ["main"]
        assert poolgate("account remove main --force").exit_code == 0
        assert services.accounts.all("default") == []


class TestTest:
    def test_it_answers(self, poolgate, upstream):
        poolgate(
            "account add openai --name main --models gpt-5 --api-key-env K --base-url",
            upstream.base_url("a"),
            K="sk-1",
        )

        result = poolgate("account test main")

        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("Account 'main' answers for gpt-5: first byte after ")
        assert json.loads(poolgate("account test main --json").stdout)["ok"] is True

    def test_it_fails(self, poolgate):
        poolgate("account add compatible --name gpu --base-url http://127.0.0.1:1/v1")

        assert poolgate("account test gpu").exit_code == 1
        result = poolgate("account test gpu --model x")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "Account 'gpu' fails for x: no response" in result.stderr
