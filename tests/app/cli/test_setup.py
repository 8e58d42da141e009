"""`poolgate apply` and `poolgate dump`."""

from __future__ import annotations

from typing import ClassVar

import orjson
import pytest
import yaml
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.cli import yaml_files
from tests.support.store_contents import everything_in

DOCUMENT = """
version: 1
settings:
  policy: ordered
  zone: Europe/Berlin
  affinity_minutes: 60
  queue_seconds: 0
  time_limits: {"o3*": {total: 1800}}
limits: [500 usd/month, 20 parallel_requests]
prices:
  llama-4: {input: 0.1, output: 0.25, context: 131072}
accounts:
  - {name: main, kind: openai, api_key_env: MAIN_KEY, cap: 20}
  - name: gpu1
    kind: compatible
    base_url: http://10.0.0.5:8000/v1
    models: [llama-4]
    headers: {X-Tenant: lab}
    secret_headers_env: {X-Token: GPU_TOKEN}
    paused: true
models:
  fast:
    steps: [gpt-5-mini, "llama-4@gpu1", "a=90,b=10"]
    defaults: {reasoning_effort: low}
teams:
  - {name: research, limits: [50 usd/month], key_limits: [5 usd/month, 10 requests/minute], disabled: true}
keys:
  - name: ann
    team: research
    models: [fast]
    accounts: [main, gpu1]
    limits: [1000000 total_tokens/day]
    expires: 2027-01-01
    queue_seconds: 0
    weight: 3
    owner: ann@example.com
    labels: {env: prod, tier: two}
  - {name: old, disabled: true}
"""
SECRETS = {"MAIN_KEY": "sk-main-secret", "GPU_TOKEN": "gpu-secret"}


@pytest.fixture
def setup(tmp_path):
    """Write a document and return its path."""

    def write(text):
        path = tmp_path / "setup.yaml"
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
        return str(path)

    return write


class TestApply:
    def test_an_empty_pool(self, poolgate, services, setup):
        result = poolgate("apply", setup(DOCUMENT), **SECRETS)

        assert result.exit_code == 0, result.stderr
        assert result.stdout.endswith("Added 7 and changed 2; 0 unchanged.\n")
        main, gpu = (services.accounts.find("default", name) for name in ("main", "gpu1"))
        assert (main.credential, main.cap) == ("sk-main-secret", 20)
        assert (gpu.settings.secret_headers, gpu.state) == ({"X-Token": "gpu-secret"}, "paused")
        key = services.api_keys.find("default", "ann")
        assert set(key.accounts) == {main.id, gpu.id}
        assert services.api_keys.find("default", "old").state == "disabled"
        assert list(services.routes.all("default")) == ["fast"]
        assert services.prices.own("default")["llama-4"]["context"] == 131072
        pool = services.pools.all()[0]
        assert (pool.policy, pool.zone, pool.effective.affinity_minutes) == ("ordered", "Europe/Berlin", 60)

    def test_new_keys_are_shown_once(self, poolgate, services, setup):
        result = poolgate("apply", setup("keys: [{name: ann}]"))

        (secret,) = [line.strip() for line in result.stdout.splitlines() if "sk-pg-default-" in line]
        assert services.api_keys.authenticate(secret).name == "ann"
        assert "sk-pg-" not in poolgate("apply", setup("keys: [{name: ann, raw: true}]")).stdout

    def test_again(self, poolgate, services, setup):
        poolgate("apply", setup(DOCUMENT), **SECRETS)
        audited = len(services.audit.page().entries)

        result = poolgate("apply", setup(DOCUMENT), **SECRETS)

        assert result.stdout == "Added 0 and changed 0; 9 unchanged.\n"
        assert len(services.audit.page().entries) == audited

    def test_a_dry_run(self, poolgate, services, setup, redis_client):
        """It shows what would change, without secret values, and changes nothing."""
        before = everything_in(redis_client)

        result = poolgate("apply --dry-run", setup(DOCUMENT), **SECRETS)

        assert everything_in(redis_client) == before
        assert "add account 'main'\n" in result.stdout
        assert "  api_key_env: MAIN_KEY\n" in result.stdout
        assert "change settings\n  policy: balanced -> ordered\n" in result.stdout
        assert result.stdout.endswith("Would add 7 and change 2; 0 unchanged. Nothing was changed.\n")
        assert "secret" not in result.output.replace("secret_headers_env", "")

    def test_differences(self, poolgate, services, setup):
        poolgate("apply", setup(DOCUMENT), **SECRETS)
        limit = services.limits.all("default")[0].id
        changed = DOCUMENT.replace("cap: 20", "cap: 30").replace("500 usd", "600 usd")
        changed = changed.replace("paused: true", "paused: false")
        changed = changed.replace("disabled: true", "disabled: false").replace("a=90,b=10", "a=50,b=50")
        changed = (
            changed.replace("50 usd", "60 usd")
            .replace("5 usd", "6 usd")
            .replace("true}\nkeys", "false}\nkeys")
        )
        changed = changed.replace("X-Tenant: lab", "X-Other: x").replace("1000000 total", "5 total")

        secrets = SECRETS | {"GPU_TOKEN": "another"}
        result = poolgate("apply", setup(changed), **secrets)

        assert result.stdout.endswith("Added 0 and changed 7; 2 unchanged.\n")
        assert "  cap: 20 -> 30\n" in result.stdout
        assert "another" not in result.output
        gpu = services.accounts.find("default", "gpu1")
        assert gpu.settings.headers == {"X-Other": "x"}
        assert (gpu.settings.secret_headers, gpu.state) == ({"X-Token": "another"}, "active")
        assert services.limits.all("default")[0].id == limit
        assert services.api_keys.find("default", "old").state == "active"
        team = services.teams.find("default", "research")
        assert (team.state, team.limits[0].max) == ("active", 60_000_000)
        assert team.key_limits == ("10 requests/minute", "6 usd/month")
        assert [each.max for each in services.api_keys.find("default", "ann").limits] == [5]
        assert "0 and changed 0" in poolgate("apply", setup(changed), **secrets).stdout

    def test_a_proxy_with_a_password(self, poolgate, services, setup):
        """Its URL is a secret, and a document has the name of its variable."""
        account = "name: gpu1, kind: compatible, base_url: 'http://10.0.0.5/v1'"
        path = setup(f"accounts: [{{{account}, proxy_env: PROXY}}]")
        missing = poolgate("apply", path).stderr
        assert "setup.yaml:1: accounts[0].proxy_env: the variable PROXY is not set" in missing

        poolgate("apply", path, PROXY="http://ann:pass-1@proxy:3128")
        result = poolgate("apply", path, PROXY="http://ann:pass-2@proxy:3128")

        assert "  proxy: http://ann@proxy:3128 -> http://ann@proxy:3128 (secret)\n" in result.stdout
        assert "pass-2" not in result.output
        proxy = services.accounts.find("default", "gpu1").settings.proxy
        assert proxy.full_url == "http://ann:pass-2@proxy:3128"
        assert "changed 0" in poolgate("apply", path, PROXY=proxy.full_url).stdout
        dumped = poolgate("dump").stdout
        assert "proxy_env: GPU1_PROXY" in dumped
        assert "changed 0" in poolgate("apply", setup(dumped)).stdout

    def test_a_key_leaves_its_team(self, poolgate, services, setup):
        poolgate("apply", setup("teams: [{name: t, key_limits: [5 usd/month]}]\nkeys: [{name: a, team: t}]"))
        assert len(services.api_keys.find("default", "a").limits) == 1

        result = poolgate("apply", setup("keys: [{name: a, team: null}]"))

        assert "  team: t -> none\n" in result.stdout
        assert services.api_keys.find("default", "a").team == ""

    def test_a_new_secret(self, poolgate, services, setup):
        poolgate("apply", setup(DOCUMENT), **SECRETS)

        result = poolgate("apply", setup(DOCUMENT), **(SECRETS | {"MAIN_KEY": "sk-next"}))

        assert "change account 'main'\n  api_key: none -> (secret)\n" in result.stdout
        assert services.accounts.find("default", "main").credential == "sk-next"

    def test_a_variable_that_is_not_set(self, poolgate, services, setup):
        """New accounts need it, and all missing ones are named; the secret of an existing one stays."""
        result = poolgate("apply", setup(DOCUMENT))

        assert result.exit_code == 1
        assert result.stderr.splitlines()[0].endswith(
            "setup.yaml:13: accounts[0].api_key_env: the variable MAIN_KEY is not set"
        )
        assert "setup.yaml:19: accounts[1].secret_headers_env.X-Token: the variable GPU" in result.stderr
        assert services.accounts.all("default") == []
        poolgate("apply", setup(DOCUMENT), **SECRETS)
        result = poolgate("apply", setup(DOCUMENT))
        assert result.exit_code == 0
        assert "account 'main': MAIN_KEY is not set, so the stored secret stays" in result.stderr

    def test_a_variable_of_a_secret_that_is_not_stored(self, poolgate, setup):
        """An existing account needs it as well: no stored secret could stay."""
        account = "name: gpu1, kind: compatible, base_url: 'http://10.0.0.5/v1'"
        poolgate("apply", setup(f"accounts: [{{{account}}}]"))
        variables = "api_key_env: KEY, secret_headers_env: {X-Token: GPU_TOKEN}, proxy_env: PROXY"

        result = poolgate("apply --dry-run", setup(f"accounts: [{{{account}, {variables}}}]"))

        assert result.exit_code == 1
        for missing in (
            "accounts[0].api_key_env: the variable KEY is not set",
            "accounts[0].secret_headers_env.X-Token: the variable GPU_TOKEN is not set",
            "accounts[0].proxy_env: the variable PROXY is not set",
        ):
            assert missing in result.stderr
        assert "stays" not in result.output

    def test_a_variable_of_a_secret_that_cannot_be_read(self, poolgate, setup):
        """It is stored, so it stays, and is read again with its former key."""
        path = setup("accounts: [{name: main, kind: openai, api_key_env: MAIN_KEY}]")
        poolgate("apply", path, **SECRETS)
        other = {"POOLGATE_SECRET_KEYS": Fernet.generate_key().decode()}

        result = poolgate("apply --dry-run", path, **other)

        assert result.exit_code == 0
        assert "account 'main': MAIN_KEY is not set, so the stored secret stays" in result.stderr

    def test_an_account_that_takes_the_place_of_a_removed_one(self, poolgate, setup):
        """A dry run reports it, too: a disabled key gets the account once it is enabled."""
        path = setup("accounts: [{name: gpu1, kind: compatible, base_url: 'http://10.0.0.5/v1'}]")
        poolgate("apply", path)
        poolgate("key create --name ann --accounts gpu1")
        poolgate("key disable ann")
        poolgate("account remove gpu1")
        note = "it takes the place of a removed account of this name in the API key 'ann' (disabled)"

        for command in ("apply --dry-run", "apply"):
            assert f"Note: account 'gpu1': {note}\n" in poolgate(command, path).stderr
        assert "Note" not in poolgate("apply", path).stderr

    def test_a_dry_run_names_all_missing_variables(self, poolgate, services, setup):
        """It shows the changes first."""
        result = poolgate("apply --dry-run", setup(DOCUMENT))

        assert result.exit_code == 1
        assert "add account 'main'" in result.stdout
        assert "accounts[0].api_key_env: the variable MAIN_KEY is not set" in result.stderr
        assert "accounts[1].secret_headers_env.X-Token: the variable GPU_TOKEN is not set" in result.stderr
        assert services.accounts.all("default") == []

    def test_from_json_on_standard_input(self, poolgate, services):
        result = poolgate("apply - --json --pool team", stdin=orjson.dumps({"keys": [{"name": "ann"}]}))

        (change,) = orjson.loads(result.stdout)["data"]
        assert (change["section"], change["name"], change["action"]) == ("keys", "ann", "add")
        assert services.api_keys.authenticate(change["key"]).pool == "team"

    def test_probable_mistakes_in_model_routes(self, poolgate, services):
        """They are printed like those of `poolgate model set`."""
        services.accounts.add("default", Account("", "main", "openai", "http://up.test", credential="sk-x"))
        result = poolgate("apply -", stdin="models: {fast: {steps: [no-such-model]}}")

        assert result.exit_code == 0
        assert result.stderr.startswith("Warning: model route 'fast': ")
        assert "no-such-model" in result.stderr

    @pytest.mark.parametrize("secrets", [{}, {"GPU_KEY": "sk-secret"}])
    def test_a_dry_run_compares_with_the_pool_after_it(self, poolgate, services, secrets):
        """Models of its accounts are known, its routes serve names, and its prices count."""
        document = """
prices: {priced: {input: 1, output: 1}}
accounts: [{name: gpu1, kind: compatible, base_url: "http://10.0.0.5/v1", models: [llama-4, priced, dear],
            api_key_env: GPU_KEY}]
models: {fast: {steps: [llama-4@gpu1]}, typo: {steps: [lama-4@gpu1]}, nested: {steps: [fast]}}
teams: [{name: red, key_limits: [5 usd/month]}]
keys:
  - {name: ann, models: [fast, llama-4], accounts: [gpu1]}
  - {name: bob, models: [gpt-9], accounts: [gpu1]}
  - {name: cleo, team: red}
limits: [1 usd/day for priced, 1 requests/day, 2 requests/day]
"""
        dry = poolgate("apply - --dry-run", stdin=document, **secrets)
        before = [line for line in dry.stderr.splitlines() if line.startswith("Warning")]
        assert services.accounts.all("default") == []
        made = poolgate("apply -", stdin=document, GPU_KEY="sk-secret").stderr.splitlines()

        unpriced = "refuses every request for llama-4, dear (429), which have no price"
        same = "these limits count the same, so the lowest one applies"
        remedy = "set a price, or make it balanced"
        assert before == [line for line in made if line.startswith("Warning")]
        assert before == [
            f"Warning: limits of the pool: {same}: 1 request per day; 2 requests per day.",
            "Warning: model route 'typo': no account that the route may use lists lama-4 "
            "(did you mean 'llama-4'?).",
            "Warning: model route 'nested': 'fast' is itself a model route, and targets are models: "
            "name the models of its steps instead.",
            f"Warning: team 'red': the strict limit $5.00 per month {unpriced}: {remedy}.",
            "Warning: API key 'bob': no account lists gpt-9.",
            f"Warning: API key 'cleo': the strict limit $5.00 per month {unpriced}: {remedy}.",
        ]

    def test_probable_mistakes_in_limits_of_the_pool(self, poolgate, services):
        account = Account("", "main", "compatible", "http://up.test", models=("no-price",))
        services.accounts.add("default", account)
        result = poolgate("apply -", stdin="limits: [5 usd/month, 9 usd/day balanced]")

        assert result.stderr.count("Warning: limits of the pool: the strict limit $5.00 per month") == 1
        assert "no-price" in result.stderr
        assert "$9" not in result.stderr

    def test_probable_mistakes_in_keys(self, poolgate):
        """They are printed like those of `poolgate key`, also by a dry run, if a key changes."""
        document = "keys: [{name: old, expires: 2020-01-01}, {name: new, expires: 2999-01-01}]"

        dry = poolgate("apply - --dry-run", stdin=document)
        first, second = (poolgate("apply -", stdin=document) for _ in range(2))

        mistake = "it has expired already, at 2020-01-01 00:00Z: every request is refused"
        warning = f"Warning: API key 'old': {mistake}.\n"
        assert first.stderr.endswith(warning)
        assert dry.stderr == warning
        assert "Warning" not in second.stderr
        assert "'new'" not in first.stderr

    def test_each_change_is_in_the_audit_log(self, poolgate, services, setup):
        poolgate("apply", setup(DOCUMENT), **SECRETS)

        actions = {entry["action"] for entry in services.audit.page().entries}
        expected = {"pool.change", "limit.add", "price.set", "account.add", "account.pause", "model.set"}
        assert actions >= expected | {"key.create", "key.disable"}


class TestWebhooks:
    ENTRIES = """
webhooks:
  - {name: ops, url: "https://ops.example/hook", on: [pool, account], remind_hours: 3}
  - {name: team, url_env: HOOK, format: slack, secret_env: SIGN}
"""
    VALUES: ClassVar = {"HOOK": "https://hooks.example/secret-path", "SIGN": "signing-secret-1"}

    def test_a_secret_that_is_made_is_shown_once(self, poolgate, services, setup):
        result = poolgate("apply", setup(self.ENTRIES), **self.VALUES)

        ops, team = services.alerting.webhooks.all("default")
        assert result.exit_code == 0, result.stderr
        assert result.stdout.count(ops.secret) == 1
        assert "The secret, shown only once:" in result.stderr
        assert (ops.url, ops.on, ops.remind_hours) == ("https://ops.example/hook", ("account", "pool"), 3)
        assert (team.url, team.secret, team.format) == (*self.VALUES.values(), "slack")
        assert not any(value in result.output for value in self.VALUES.values())

    def test_again(self, poolgate, services, setup):
        poolgate("apply", setup(self.ENTRIES), **self.VALUES)

        again = poolgate("apply", setup(self.ENTRIES), **self.VALUES)
        assert again.stdout == "Added 0 and changed 0; 2 unchanged.\n"
        unset = poolgate("apply", setup(self.ENTRIES))
        assert unset.stdout == "Added 0 and changed 0; 2 unchanged.\n"
        assert "Note: webhook 'team': HOOK is not set, so the stored url stays" in unset.stderr

    def test_changes(self, poolgate, services, setup):
        poolgate("apply", setup(self.ENTRIES), **self.VALUES)
        text = self.ENTRIES.replace("remind_hours: 3", "remind_hours: 0")

        result = poolgate("apply", setup(text), **self.VALUES | {"SIGN": "signing-secret-2"})

        assert "  remind_hours: 3 -> 0\n" in result.stdout
        assert "change webhook 'team'\n  secret: none -> (secret)\n" in result.stdout
        assert services.alerting.webhooks.find("default", "team").secret == "signing-secret-2"

    def test_dump(self, poolgate, setup):
        poolgate("apply", setup(self.ENTRIES), **self.VALUES)
        dumped = poolgate("dump").stdout

        assert yaml.safe_load(dumped)["webhooks"] == [
            {
                **{"name": "ops", "on": ["account", "pool"], "remind_hours": 3},
                **{"url_env": "OPS_URL", "secret_env": "OPS_SECRET"},
            },
            {"name": "team", "format": "slack", "url_env": "TEAM_URL", "secret_env": "TEAM_SECRET"},
        ]
        assert poolgate("apply", setup(dumped)).stdout == "Added 0 and changed 0; 2 unchanged.\n"

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            ("{name: a}", "webhooks[0].url must have one of url and url_env"),
            ('{name: a, url: "http://h/", url_env: X}', "webhooks[0].url must have one of url and url_env"),
            ("{name: a, url_env: MISSING}", "webhooks[0].url_env: the variable MISSING is not set"),
            ('{name: a, url: "http://h/", secret: s}', "webhooks[0].secret must not be in the file"),
            ("{name: a, url_env: FTP}", "webhooks[0].url must be an http or https URL"),
            (
                '{name: a, url: "http://h/", secret_env: SHORT}',
                "webhooks[0].secret must have 16 to 256 bytes",
            ),
        ],
    )
    def test_faults(self, poolgate, services, setup, entry, message):
        result = poolgate("apply", setup(f"webhooks: [{entry}]"), FTP="ftp://x", SHORT="short")

        assert result.exit_code in (1, 2)
        assert message in result.stderr
        assert services.alerting.webhooks.all("default") == []


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "must be a mapping of sections"),
            ("- 1", "must be a mapping of sections"),
            ("users: []", "users is not a field of this object"),
            ("version: 2", "version must be"),
            (
                "accounts: [{name: a, kind: compatible, base_url: 'http://h', set_fields: {n: 2}}]",
                "accounts[0]: 'n' cannot be set: it chooses the number of responses",
            ),
            ("accounts: [{name: a, kind: openai, bas_url: x}]", "accounts[0].bas_url is not a field of"),
            ("accounts: [{name: a, kind: openai, api_key: sk-1}]", "accounts[0].api_key must not be in the"),
            (
                "accounts: [{name: a, kind: openai, proxy: 'http://u:p@h'}]",
                "accounts[0].proxy must not have a",
            ),
            (
                "accounts: [{name: a, kind: openai, proxy: 'http://h', proxy_env: P}]",
                "accounts[0].proxy_env must not be there with proxy",
            ),
            ("accounts: [{name: a, kind: openai}]", "accounts[0]: An account of kind openai needs a cred"),
            ("accounts: [{name: a, kind: other}]", "accounts[0].kind must be"),
            ("keys: [{name: a, limits: [x]}]", "keys[0].limits[0]: 'x' is not a limit"),
            ("keys: [{name: a, accounts: [b]}]", "keys[0].accounts: there is no account named 'b'"),
            ("keys: [{name: a, team: b}]", "keys[0].team: there is no team named 'b'"),
            ("teams: [{name: a, key_limits: [x]}]", "teams[0].key_limits[0]: 'x' is not a limit"),
            ("teams: [{name: a, x: 1}]", "teams[0].x is not a field"),
            ("keys: [{name: a}, {name: a}]", "keys[1].name is the name of an earlier entry"),
            ("keys: [{name: a, expires: x}]", "keys[0].expires must be a date"),
            ("models: {fast: {steps: ['x@gone']}}", "models.fast: there is no account named 'gone'"),
            ("models: {fast: {steps: ['']}}", "models.fast.steps[0] must not be empty"),
            ("models: {fast: {steps: ['a,,b']}}", "models.fast: A target of a step must have the name"),
            ("models: {'': {steps: [x]}}", "models"),
            ("prices: {x: {input: 0.0000001, output: 1}}", "prices.x: A price is between"),
            ("settings: {policy: x}", "settings: 'x' is no policy"),
            ("settings: {zone: Mars}", "settings: 'Mars' is not an IANA time zone"),
            ("settings: {time_limits: {a: {x: 1}}}", "settings: 'x' is no time limit"),
            ("limits: [1 usd/day, y]", "limits[1]: 'y' is not a limit"),
            ("\nkeys: 1\nkeys: 2", "the key 'keys' is repeated"),
        ],
    )
    def test_are_one_line_with_the_file_and_the_field(self, poolgate, services, setup, text, message):
        path = setup(text)

        result = poolgate("apply", path)

        assert result.exit_code == 1
        line = 1 + text.count("\n")
        assert result.stderr.startswith(f"Error: {path}:{line}: {message}")
        assert result.stderr.count("\n") == 1
        assert "sk-1" not in result.stderr
        assert services.api_keys.all("default") == []

    def test_all_faults_of_the_form_are_reported(self, poolgate, setup):
        keys = [{"name": "a b"}, {"name": "ann", "raw": "yes", "modles": []}]

        refused = poolgate("apply", setup({"keys": keys, "teams": [{"name": ""}]}))

        assert refused.exit_code == 1
        assert refused.stderr.endswith("setup.yaml has 4 errors; nothing was changed\n")
        for path in ("teams[0].name ", "keys[0].name ", "keys[1].raw ", "keys[1].modles "):
            assert path in refused.stderr
        assert "'models'?" in refused.stderr

    def test_faults_of_all_entries_are_reported_with_their_lines(self, poolgate, setup):
        """Those of the form and of what it means alike, in the order of the file; also of faulty entries."""
        path = setup(
            """
models:
  gpt-4.1: {steps: ["gpt-5@nowhere"], overides: {}}
accounts:
  - name: main
    kind: openai
    modles: [a]
teams:
  - {name: red, limits: [many]}
  - name: green
    limits:
    - 1 usd/day
    - 1 usd/fortnight
keys:
  - {name: ann, team: blue}
  - name: bob
    raw: 7
    team: red
    accounts: [main, nope]
"""
        )

        result = poolgate("apply", path)

        lines = result.stderr.replace(f"{path}:", "").splitlines()
        assert [line.split(" ")[:2] for line in lines[:-1]] == [
            ["3:", "models.gpt-4.1.overides"],
            ["3:", "models.gpt-4.1:"],
            ["7:", "accounts[0].modles"],
            ["9:", "teams[0].limits[0]:"],
            ["13:", "teams[1].limits[1]:"],
            ["15:", "keys[0].team:"],
            ["17:", "keys[1].raw"],
            ["19:", "keys[1].accounts:"],
        ]
        assert lines[-1] == f"Error: {path} has 8 errors; nothing was changed"

    def test_all_faults_in_json(self, poolgate, setup):
        result = poolgate("apply --json", setup("keys:\n- {name: a, team: b}\n- {name: b, team: c}"))

        error = orjson.loads(result.stderr)["error"]
        assert error["param"] == "keys[0].team"
        assert [(one["param"], one["message"].split(": ")[0][-12:]) for one in error["errors"]] == [
            ("keys[0].team", "setup.yaml:2"),
            ("keys[1].team", "setup.yaml:3"),
        ]

    def test_a_late_fault_changes_nothing(self, poolgate, services, setup):
        result = poolgate("apply", setup("limits: [1 usd/day]\nkeys: [{name: a, limits: [x]}]"))

        assert result.exit_code == 1
        assert services.limits.all("default") == []

    @pytest.mark.parametrize("field", ["kind: azure", "base_url: http://other/v1", "wires: [responses]"])
    def test_what_cannot_be_changed(self, poolgate, setup, field):
        account = {"name": "a", "kind": "compatible", "base_url": "http://host/v1"}
        poolgate("apply", setup({"accounts": [account]}))

        result = poolgate("apply", setup({"accounts": [account | yaml.safe_load(field)]}))

        assert f"accounts[0]: {field.split(':')[0]} of 'a' cannot be changed" in result.stderr

    def test_a_huge_file(self, poolgate, setup, monkeypatch):
        monkeypatch.setattr(yaml_files, "MAX_FILE_BYTES", 10)

        assert "larger than 10 bytes" in poolgate("apply", setup(DOCUMENT)).stderr


class TestDump:
    def test_makes_the_same_pool_elsewhere(self, poolgate, setup):
        poolgate("apply", setup(DOCUMENT), **SECRETS)
        dumped = poolgate("dump").stdout
        secrets = {"MAIN_API_KEY": "sk-main-secret", "GPU1_X_TOKEN": "gpu-secret"}

        result = poolgate("apply --pool team", setup(dumped), **secrets)

        assert result.exit_code == 0, result.stderr
        assert poolgate("dump --pool team").stdout == dumped

    def test_applied_to_itself_changes_nothing(self, poolgate, setup):
        poolgate("apply", setup(DOCUMENT), **SECRETS)

        result = poolgate("apply", setup(poolgate("dump").stdout))

        assert result.stdout == "Added 0 and changed 0; 9 unchanged.\n"

    def test_names_the_targets_of_removed_accounts(self, poolgate, services):
        for name in ("a", "b"):
            services.accounts.add("default", Account("", name, "compatible", "http://up.test", models=("m",)))
        added = poolgate("model set fast --to m@a --then n@b --then o")
        assert added.exit_code == 0, added.stderr
        complete = poolgate("dump")
        services.accounts.remove("default", "b")

        result = poolgate("dump")

        assert complete.stderr == ""
        assert result.stderr == "Warning: model route 'fast': step 2 lacks n, whose accounts were removed.\n"
        assert yaml.safe_load(result.stdout)["models"]["fast"]["steps"] == ["m@a", "o"]

    def test_has_no_secrets_and_no_defaults(self, poolgate, setup):
        poolgate("apply", setup(DOCUMENT), **SECRETS)

        text = poolgate("dump").stdout

        document = yaml.safe_load(text)
        assert not any(secret in text for secret in SECRETS.values())
        assert document["accounts"][1] == {
            "name": "main",
            "kind": "openai",
            "api_key_env": "MAIN_API_KEY",
            "cap": 20,
        }
        assert document["keys"][1] == {"name": "old", "disabled": True}
        assert document["models"]["fast"]["steps"] == ["gpt-5-mini", "llama-4@gpu1", "a=90,b=10"]
        assert document == orjson.loads(poolgate("dump --json").stdout)

    def test_accounts_with_an_at_sign_in_routes(self, poolgate, setup):
        """Such a name cannot be in the text of a step."""
        account = "{name: ann@example.com, kind: compatible, base_url: 'http://h/v1'}"
        step = "[{model: m, accounts: [ann@example.com]}]"

        result = poolgate("apply", setup(f"accounts: [{account}]\nmodels: {{fast: {{steps: [{step}]}}}}"))

        assert result.exit_code == 0, result.stderr
        text = poolgate("dump").stdout
        assert yaml.safe_load(text)["models"]["fast"]["steps"] == [
            [{"model": "m", "accounts": ["ann@example.com"], "weight": 1}]
        ]
        assert "changed 0" in poolgate("apply", setup(text)).stdout

    def test_groups_of_accounts_in_routes(self, poolgate, setup):
        account = "{name: gpu1, kind: compatible, base_url: 'http://h/v1'}"
        text = f"accounts: [{account}]\nmodels: {{fast: {{steps: ['m@group:2,gpu1']}}}}"
        poolgate("apply", setup(text))

        assert "changed 0" in poolgate("apply", setup(text)).stdout
        assert yaml.safe_load(poolgate("dump").stdout)["models"]["fast"]["steps"] == ["m@gpu1,group:2"]

    def test_an_empty_pool(self, poolgate):
        assert poolgate("dump").stdout == "version: 1\n"

    def test_accounts_that_cannot_be_added(self, poolgate, services, setup):
        """They are skipped with the remedy; what names them is made without them, or skipped as well."""
        document = """
accounts:
  - {name: ann, kind: chatgpt, cap: 3}
  - {name: demo, kind: demo}
  - {name: gpu1, kind: compatible, base_url: "http://h/v1"}
models:
  fast: {steps: ["m@demo", "a@ann,gpu1"]}
  slow: {steps: ["a@ann"]}
keys:
  - {name: one, accounts: [ann]}
  - {name: two, accounts: [ann, gpu1]}
"""
        result = poolgate("apply", setup(document))

        assert result.exit_code == 0, result.stderr
        assert result.stdout.endswith("Added 3 and changed 0; 0 unchanged, 4 skipped.\n")
        assert (
            "account 'ann': it has to be signed in first (poolgate account login --name ann)" in result.stderr
        )
        assert "API key 'one': it may use only 'ann', not created yet" in result.stderr
        assert "model route 'fast': without 'ann', 'demo', not created yet" in result.stderr
        assert [key.name for key in services.api_keys.all("default")] == ["two"]
        assert "a@gpu1" in poolgate("model list").stdout
        ann = services.accounts.add(
            "default", Account("", "ann", "chatgpt", "https://h/", chatgpt_account_id="acc-1")
        )
        again = poolgate("apply", setup(document))
        assert again.stdout.endswith("Added 2 and changed 3; 1 unchanged, 1 skipped.\n")
        assert services.api_keys.find("default", "one").accounts == (ann.id,)

    def test_simulated_accounts_are_left_out(self, poolgate, services):
        services.pools.ensure("default")
        services.accounts.add("default", Account(id="", name="demo", kind="demo", base_url="http://d"))

        assert poolgate("dump").stdout == "version: 1\n"

    def test_an_unknown_pool(self, poolgate):
        assert poolgate("dump --pool nowhere").exit_code == 1
