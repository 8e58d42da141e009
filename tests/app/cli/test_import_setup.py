"""`poolgate import litellm`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson
import pytest
import yaml

from tests.support.store_contents import everything_in

CONFIG = str(Path(__file__).parents[2] / "support" / "litellm_config.yaml")
SECRETS = {
    "OPENAI_KEY_A": "sk-secret-a",
    "OPENAI_KEY_B": "sk-secret-b",
    "AZURE_KEY": "secret-azure",
    "QWEN_BASE": "https://qwen.example.net/v1",
    "QWEN_KEY": "secret-qwen",
    "OPENROUTER_KEY": "secret-openrouter",
    "GW_KEY": "secret-gw",
}


class TestLiteLLM:
    def test_a_realistic_file(self, poolgate, services):
        result = poolgate("import litellm", CONFIG, **SECRETS)

        assert result.exit_code == 0, result.stderr
        assert result.stdout.endswith("Added 23 and changed 2; 0 unchanged.\n")
        assert services.accounts.find("default", "acme-eu").credential == "secret-azure"
        assert len(services.routes.all("default")) == 12
        shown = poolgate("model resolve gpt-4").stdout
        assert "step 1: gpt-5.2@openai-key-a=10,gpt-5.2@openai-key-b=1\nstep 2: prod-52@acme-eu\n" in shown
        assert "not imported: model_list[6] (claude): anthropic has another API" in result.stderr
        assert not any(secret in result.output for secret in SECRETS.values() if "secret" in secret)

    def test_again(self, poolgate):
        poolgate("import litellm", CONFIG, **SECRETS)

        result = poolgate("import litellm", CONFIG, **SECRETS)

        assert result.stdout == "Added 0 and changed 0; 25 unchanged.\n"

    def test_a_dry_run(self, poolgate, redis_client):
        before = everything_in(redis_client)

        result = poolgate("import litellm --dry-run", CONFIG, **SECRETS)

        assert "Would add 23 and change 2" in result.stdout
        assert everything_in(redis_client) == before

    def test_the_document(self, poolgate, tmp_path):
        """What is printed can be applied."""
        result = poolgate("import litellm --print", CONFIG, **SECRETS)

        assert len(yaml.safe_load(result.stdout)["accounts"]) == 9
        path = tmp_path / "setup.yaml"
        path.write_text(result.stdout)
        assert "Added 23" in poolgate("apply", str(path), **SECRETS).stdout
        assert "changed 0; 25 unchanged" in poolgate("import litellm", CONFIG, **SECRETS).stdout

    def test_as_json(self, poolgate):
        report = orjson.loads(poolgate("import litellm --json", CONFIG, **SECRETS).stdout)

        assert len(report["data"]) == 25
        assert {remark["imported"] for remark in report["remarks"]} == {True, False}

    def test_missing_variables(self, poolgate, services):
        result = poolgate("import litellm", CONFIG, QWEN_BASE=SECRETS["QWEN_BASE"])

        assert result.exit_code == 1
        assert ": the variable OPENAI_KEY_A is not set\n" in result.stderr
        assert ": the variable GW_KEY is not set\n" in result.stderr
        assert services.accounts.all("default") == []

    def test_included_files(self, poolgate, services, tmp_path):
        entry = "{model_name: %s, litellm_params: {model: openai/%s, api_key: os.environ/K}}"
        (tmp_path / "config.yaml").write_text(f"include: [b.yaml]\nmodel_list: [{entry % ('a', 'a')}]")
        (tmp_path / "b.yaml").write_text(f"include: [config.yaml]\nmodel_list: [{entry % ('b', 'b')}]")

        result = poolgate("import litellm", str(tmp_path / "config.yaml"), K="sk-1")

        assert "more than 20 included files" in result.stderr
        (tmp_path / "b.yaml").write_text(f"model_list: [{entry % ('b', 'b')}]")
        assert poolgate("import litellm", str(tmp_path / "config.yaml"), K="sk-1").exit_code == 0
        assert sorted(services.routes.all("default")) == ["a", "b"]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("model_list: {}", "config.yaml: model_list must be a list"),
            ("model_list: []", "config.yaml: no deployment can be imported"),
            ("a: [", "config.yaml:1: "),
            ("include: [gone.yaml]\nmodel_list: []", "gone.yaml: No such file"),
        ],
    )
    def test_faults(self, poolgate, tmp_path, text, problem):
        (tmp_path / "config.yaml").write_text(text)

        result = poolgate("import litellm", str(tmp_path / "config.yaml"))

        assert result.exit_code == 1
        assert problem in result.stderr
        assert result.stderr.count("\n") == 1


class TestKeysOfLiteLLM:
    SECRET = "sk-ABCdef1234567890ghijkl"

    @pytest.fixture
    def lists(self, tmp_path):
        token = hashlib.sha256(self.SECRET.encode()).hexdigest()
        key = {"token": token, "key_alias": "ann", "models": ["gpt-5.2"], "team_id": "t", "rpm_limit": 5}
        (tmp_path / "keys.json").write_bytes(orjson.dumps({"keys": [key]}))
        (tmp_path / "teams.json").write_bytes(orjson.dumps([{"team_id": "t", "team_alias": "research"}]))
        return ("--keys", str(tmp_path / "keys.json"), "--teams", str(tmp_path / "teams.json"))

    def test_callers_keep_their_keys(self, poolgate, services, lists):
        result = poolgate("import litellm", CONFIG, *lists, **SECRETS)

        assert result.exit_code == 0, result.stderr
        key = services.api_keys.authenticate(self.SECRET)
        assert (key.name, key.team, key.models) == ("ann", "research", ("gpt-5.2",))
        again = poolgate("import litellm", CONFIG, *lists, **SECRETS)
        assert again.stdout == "Added 0 and changed 0; 27 unchanged.\n"

    def test_in_another_pool(self, poolgate, services, lists):
        result = poolgate("import litellm --pool team", CONFIG, *lists, **SECRETS)

        assert "keys[0]: keys of other gateways work only in the pool 'default'" in result.stderr
        assert services.accounts.all("team") == []

    @pytest.mark.parametrize(("text", "problem"), [("{", "not JSON"), ("[1]", "must be a list of")])
    def test_a_malformed_list(self, poolgate, tmp_path, text, problem):
        (tmp_path / "keys.json").write_text(text)

        result = poolgate("import litellm", CONFIG, "--keys", str(tmp_path / "keys.json"), **SECRETS)

        assert result.exit_code == 1
        assert problem in result.stderr
