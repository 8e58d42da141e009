"""LiteLLM's configuration as a declarative document."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.errors import InvalidRequest
from app.operations.account_rules import KIND_RULES
from app.operations.setup.litellm import convert_litellm
from schemas.setup_document import SetupDocument

CONFIG = (Path(__file__).parents[3] / "support" / "litellm_config.yaml").read_text()
ENVIRON = {"QWEN_BASE": "https://qwen.example.net/v1/"}


def convert(config: Any, environ: dict[str, str] = ENVIRON) -> Any:
    """Return what *config* means, and check that it is a valid document."""
    converted = convert_litellm(config, environ)
    SetupDocument(KIND_RULES).load(converted.document)
    return converted


def deployment(group: str = "m", model: str = "openai/gpt-5", **params: Any) -> dict[str, Any]:
    return {"model_name": group, "litellm_params": {"model": model, "api_key": "os.environ/K", **params}}


def remarks(converted: Any) -> str:
    return "\n".join(map(str, converted.remarks))


class TestRealisticFile:
    @pytest.fixture
    def converted(self):
        return convert(yaml.safe_load(CONFIG))

    def test_accounts(self, converted):
        """One for each address and credential, with the models of its deployments."""
        accounts = {account["name"]: account for account in converted.document["accounts"]}
        assert len(accounts) == 9
        assert accounts["openai-key-a"] == {
            "name": "openai-key-a",
            "kind": "openai",
            "api_key_env": "OPENAI_KEY_A",
            "models": ["gpt-5.2", "gpt-5.2-mini", "o5", "text-embedding-3-large"],
            "timeout_seconds": 120,  # of the router
        }
        assert accounts["10.0.0.5-8000"]["timeout_seconds"] == 600  # its own
        assert "models" not in accounts["openai-key-b"]  # it serves the wildcards
        assert accounts["acme-eu"]["base_url"] == "https://acme-eu.openai.azure.com/openai/v1"
        assert accounts["10.0.0.6-8000"]["base_url"] == "http://10.0.0.6:8000/v1"
        assert accounts["10.0.0.5-8000"]["cap"] == 16
        assert accounts["openrouter"]["base_url"] == "https://openrouter.ai/api/v1"
        assert accounts["qwen.example.net"]["headers"] == {"X-Team": "tools"}

    def test_routes(self, converted):
        routes = converted.document["models"]
        assert len(routes) == 12
        assert routes["gpt-5.2"]["steps"] == [
            "gpt-5.2@openai-key-a=10,gpt-5.2@openai-key-b=1",
            "prod-52@acme-eu",
            "meta-llama/Llama-4-70B@10.0.0.5-8000,10.0.0.6-8000",
        ]
        assert routes["gpt-5.2-mini"]["steps"] == ["gpt-5.2-mini@openai-key-a=9,gpt-5.2-mini@openai-key-b=1"]
        assert routes["llama-local"]["steps"][-1] == "prod-52@acme-eu"
        assert routes["reasoner"]["defaults"] == {"reasoning_effort": "high"}
        assert routes["gpt-4"] == routes["gpt-5.2"]

    def test_prices_and_budget(self, converted):
        assert converted.document["prices"] == {
            "prod-52": {"input": 1.75, "output": 14},
            "meta-llama/Llama-4-70B": {"input": 0, "output": 0, "context": 65536},
        }
        assert converted.document["limits"] == ["2000 usd/month"]
        assert converted.document["settings"] == {"zone": "Europe/Berlin"}

    @pytest.mark.parametrize(
        "text",
        [
            "not imported: model_list[6] (claude): anthropic has another API",
            "not imported: model_list[16] (bedrock-claude): bedrock has another API",
            "not imported: router_settings.fallbacks.gpt-5.2: 'claude' has no route",
            "not imported: model_list[5] (reasoner): additional_drop_params",
            "not imported: router_settings.content_policy_fallbacks: ",
            "not imported: general_settings.master_key: ",
            "changed: model_list (gpt-5.2): rpm is used as the weight alone",
            "changed: model_list[18] (team-a/*): no route: account 'gw.example.net' serves any model",
        ],
    )
    def test_what_is_reported(self, converted, text):
        assert text in remarks(converted)


class TestAccounts:
    def test_a_key_in_the_file_is_no_part_of_the_document(self):
        converted = convert(
            {"model_list": [deployment(api_key="sk-literal"), deployment(api_key="sk-literal")]}
        )

        assert converted.secrets == {"OPENAI_API_KEY": "sk-literal"}
        assert converted.document["accounts"][0]["api_key_env"] == "OPENAI_API_KEY"
        assert "sk-literal" not in str(converted.document) + remarks(converted)

    def test_two_keys_in_the_file(self):
        converted = convert({"model_list": [deployment(api_key="sk-1"), deployment(api_key="sk-2")]})

        assert sorted(converted.secrets.values()) == ["sk-1", "sk-2"]
        assert [account["name"] for account in converted.document["accounts"]] == ["openai", "openai-2"]

    def test_variables_of_the_file(self):
        config = {
            "environment_variables": {"BASE": "http://h/v1", "K": "sk-1"},
            "model_list": [deployment(api_base="os.environ/BASE")],
        }

        converted = convert(config)

        assert converted.document["accounts"][0]["base_url"] == "http://h/v1"
        assert converted.secrets["K"] == "sk-1"

    @pytest.mark.parametrize(
        ("model", "params", "kind", "url"),
        [
            ("gpt-5", {}, "openai", None),
            ("openai/gpt-5", {"api_base": "https://api.openai.com/v1/"}, "openai", None),
            ("openai/x", {"api_base": "http://h/v1/chat/completions"}, "compatible", "http://h/v1"),
            ("hosted_vllm/x", {"api_base": "http://h/v1"}, "compatible", "http://h/v1"),
            ("ollama_chat/x", {"api_base": "http://h:11434"}, "compatible", "http://h:11434/v1"),
            ("groq/x", {}, "compatible", "https://api.groq.com/openai/v1"),
            (
                "azure/x",
                {"api_base": "https://a.openai.azure.com/"},
                "azure",
                "https://a.openai.azure.com/openai/v1",
            ),
        ],
    )
    def test_providers(self, model, params, kind, url):
        (account,) = convert({"model_list": [deployment("g", model, **params)]}).document["accounts"]

        assert (account["kind"], account.get("base_url")) == (kind, url)

    @pytest.mark.parametrize(
        ("model", "params", "reason"),
        [
            ("anthropic/claude", {}, "another API"),
            ("llama", {}, "its provider is not named"),
            ("hosted_vllm/x", {}, "no api_base"),
            ("openai/x", {"api_base": "os.environ/UNSET"}, "UNSET is not set"),
            ("openai/x", {"api_base": "http://169.254.169.254/v1"}, "its api_base must not be"),
            ("openai/x", {"api_base": "not a url"}, "its api_base must be"),
            ("openai/gpt-5", {"api_key": "sk-1234"}, "a placeholder"),
            ("openai/ x", {}, "the model must not begin"),
            ("openai/", {}, "names no model"),
        ],
    )
    def test_what_cannot_be_an_account(self, model, params, reason):
        converted = convert({"model_list": [deployment("g", model, **params)]})

        assert "accounts" not in converted.document
        assert reason in remarks(converted)

    @pytest.mark.parametrize(
        ("timeouts", "expected", "remark"),
        [
            ([{"timeout": 30}], (30, None), ""),
            ([{"timeout": "os.environ/T"}], (45, None), ""),
            ([{"timeout": "12.5"}], (12.5, None), ""),
            ([{"stream_timeout": 20}], (None, 20), "stream_timeout is the time until a response begins"),
            ([{"timeout": 30}, {"timeout": 60}], (60, None), "one for all of its models, the longest, 60 s"),
            ([{"timeout": 30}, {}], (None, None), "one for all of its models, that of the pool"),
            ([{"timeout": 0}], (None, None), "m): timeout: it is no number of 0.1 to 86400 seconds"),
            ([{"timeout": True}], (None, None), "timeout: it is no number"),
            ([{"timeout": "soon"}], (None, None), "timeout: it is no number"),
            ([{"timeout": float("nan")}], (None, None), "timeout: it is no number"),
            ([{"timeout": [1]}], (None, None), "timeout: it is no number"),
        ],
    )
    def test_timeouts(self, timeouts, expected, remark):
        """Those of a deployment are its account's, which has one for all of its models."""
        config = {"model_list": [deployment(**params) for params in timeouts]}

        converted = convert(config, {"T": "45"})

        (account,) = converted.document["accounts"]
        assert (account.get("timeout_seconds"), account.get("first_token_timeout_seconds")) == expected
        assert remark in remarks(converted)
        assert bool(converted.remarks) is bool(remark)

    def test_timeouts_of_the_router(self):
        """They are for deployments without their own."""
        other = deployment(api_base="http://h/v1", timeout=9)
        config = {
            "model_list": [deployment(), other],
            "router_settings": {"timeout": 50, "stream_timeout": 10},
            "litellm_settings": {"request_timeout": 600},
        }

        accounts = convert(config).document["accounts"]
        assert [account["timeout_seconds"] for account in accounts] == [50, 9]
        assert [account["first_token_timeout_seconds"] for account in accounts] == [10, 10]
        del config["router_settings"]
        assert convert(config).document["accounts"][0]["timeout_seconds"] == 600

    def test_headers(self):
        headers = {"X-A": "1", "Authorization": "secret-token", "X-B": "os.environ/B", "Host": "x", "X-C": ""}
        converted = convert({"model_list": [deployment(extra_headers=headers, organization="org-1")]})

        (account,) = converted.document["accounts"]
        assert account["headers"] == {"OpenAI-Organization": "org-1", "X-A": "1"}
        assert account["secret_headers_env"] == {"Authorization": "LITELLM_AUTHORIZATION", "X-B": "B"}
        assert converted.secrets == {"LITELLM_AUTHORIZATION": "secret-token"}
        assert "the header Host" in remarks(converted)


class TestRoutes:
    def test_orders_are_steps(self):
        models = [deployment(order=2, model="openai/b"), deployment(order=1, model="openai/a"), deployment()]
        converted = convert({"model_list": models})

        assert converted.document["models"]["m"]["steps"] == ["a@k", "b@k", "gpt-5@k"]

    @pytest.mark.parametrize(
        ("weights", "step"),
        [
            ((1, 3), "a@k=1,b@k=3"),
            ((0.5, 0.25), "a@k=1000,b@k=500"),
            ((10, 0), "a@k"),
            ((None, None), "a@k=1,b@k=1"),
            ((2_000_000, 1), "a@k=1000,b@k=1"),
        ],
    )
    def test_weights(self, weights, step):
        models = [deployment(model=f"openai/{name}", weight=w) for name, w in zip("ab", weights, strict=True)]

        assert convert({"model_list": models}).document["models"]["m"]["steps"] == [step]

    def test_a_pattern_for_one_model(self):
        converted = convert({"model_list": [deployment("gpt-4*")]})

        assert converted.document["models"] == {"gpt-4*": {"steps": ["gpt-5@k"]}}

    def test_a_fallback_on_an_alias_and_on_itself(self):
        config = {
            "model_list": [deployment("a", "openai/a"), deployment("b", "openai/b")],
            "router_settings": {"model_group_alias": {"c": "b"}, "fallbacks": [{"a": ["c", "a", "gone"]}]},
        }

        converted = convert(config)

        assert converted.document["models"]["a"]["steps"] == ["a@k", "b@k"]
        assert "'gone' has no route" in remarks(converted)

    def test_defaults_that_differ(self):
        converted = convert({"model_list": [deployment(temperature=1), deployment(temperature=0)]})

        assert "defaults" not in converted.document["models"]["m"]
        assert "temperature: it is not that of all deployments" in remarks(converted)

    def test_many_steps(self):
        names = [f"m{number}" for number in range(30)]
        config = {
            "model_list": [deployment(name, f"openai/{name}") for name in names],
            "router_settings": {"fallbacks": [{"m0": names[1:]}]},
        }

        converted = convert(config)

        assert len(converted.document["models"]["m0"]["steps"]) == 16
        assert "steps after the first 16" in remarks(converted)


@pytest.mark.parametrize("config", [None, [], {}, {"model_list": {}}, "x"])
def test_no_such_file(config):
    with pytest.raises(InvalidRequest, match="model_list must be a list"):
        convert_litellm(config, {})


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Any:
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(inner, (*path, key))


@pytest.mark.parametrize("wrong", [None, -1, 1e300, True, "", "x" * 300, [], {"a": []}])
def test_values_of_any_type(wrong):
    """A value of another type, anywhere, is left out: there is always a valid document, or no file."""
    config = yaml.safe_load(CONFIG)
    config["model_list"] = [config["model_list"][index] for index in (1, 2, 5, 8, 10, 17)]
    for path in list(_paths(config)):
        if path:
            changed = copy.deepcopy(config)
            inner = changed
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = wrong
            if isinstance(changed["model_list"], list):
                convert(changed)
