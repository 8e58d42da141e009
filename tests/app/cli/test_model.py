"""`poolgate model`, on a real store."""

from __future__ import annotations

import json

import pytest

from app.accounts.account import Account


def test_a_life(poolgate, services):
    for name in ("gpu1", "gpu2"):
        services.accounts.add("default", Account("", name, "openai", "http://127.0.0.1:1/v1"))
    step = "--to gpt-5-mini --then llama-3.3@gpu1,gpu2 --then a=90,b=10"
    fields = "--default temperature=0.5 --override max_tokens=400"

    done = poolgate(f"model set fast {step} {fields}")
    assert done.stdout == "'fast' leads to gpt-5-mini, then llama-3.3@gpu1,gpu2, then a=90,b=10.\n"

    shown = poolgate("model show fast").stdout.splitlines()
    assert shown == [
        *("step 1: gpt-5-mini", "step 2: llama-3.3@gpu1,gpu2", "step 3: a=90,b=10"),
        *("default: temperature=0.5", "override: max_tokens=400"),
        "served now: gpt-5-mini at gpu1, gpu2",
    ]
    (listed,) = json.loads(poolgate("model list --json").stdout)["data"]
    assert listed == json.loads(poolgate("model show fast --json").stdout)
    assert listed["steps"][1] == [{"model": "llama-3.3", "accounts": ["gpu1", "gpu2"], "weight": 1}]
    assert "temperature=0.5" in poolgate("model list").stdout

    assert poolgate("model remove fast --yes").stdout == "The model route 'fast' was removed.\n"
    assert poolgate("model list").stderr.startswith("No model routes in pool 'default' yet: ")
    assert "no model route 'fast'" in poolgate("model show fast").stderr


def test_resolve(poolgate, services):
    services.api_keys.create("default", "ann", models=("gpt-4*",))
    poolgate("model set gpt-4* --to gpt-5 --default reasoning_effort=low")
    poolgate("model set gpt-* --to gpt-6")

    assert poolgate("model resolve gpt-4o --key ann").stdout.splitlines() == [
        "'gpt-4o' is the route with the longest pattern that matches (gpt-4*).",
        *("step 1: gpt-5", "default: reasoning_effort=low", "does not apply: gpt-*"),
        "served now: no: no account that it may use offers gpt-5",
    ]
    assert "The key 'ann' may not use it." in poolgate("model resolve gpt-9 --key ann").stdout
    assert json.loads(poolgate("model resolve llama --json").stdout)["rule"] == "model"
    assert "no key named 'bob'" in poolgate("model resolve llama --key bob").stderr


def test_what_cannot_be(poolgate):
    for options, why in (
        ("--to m@nowhere", "no account named 'nowhere'"),
        ("--to m --default n=2", "n is not a field"),
        ("--to m --override max_tokens=many", "max_tokens must be an integer"),
        ("--to m --default temperature=warm", "temperature must be a number"),
        ("--to m --default temperature=nan", "temperature must be a number from 0 to 100"),
        ("--to m --override temperature=inf", "temperature must be a number from 0 to 100"),
        (f"--to m --override temperature={'9' * 40}", "temperature must be a number from 0 to 100"),
        ("--to m --override max_tokens=5 --override max_tokens=6", "'max_tokens' is given twice"),
        ("--to a=0,b=1", "must be an integer"),
        ("--to a=0.9,b=0.1", "A weight must be a whole number from 1, not '0.9'"),
        ("--to gpt-*", "must be the name of a model, not a pattern"),
        ("--to a,", "must have the name of a model"),
    ):
        assert why in poolgate(f"model set fast {options}").stderr, options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--to", "a=0,b=1"), "the weight of 'a' must be an integer"),
        (
            ("--to", "m", "--then", "a=1,b=99999999"),
            "--then 'a=1,b=99999999': the weight of 'b' must be",
        ),
        (("--to", "gpt-*"), "--to 'gpt-*': the model of 'gpt-*' must be the name of a model, not a pattern"),
        (("--to", "m", *("--then", "n") * 16), "--to and --then must have 1 to 16 steps"),
        (("--to", ",".join(f"m{n}" for n in range(17))), "the step must have 1 to 16 targets"),
        (("--to", "m", "--default", "max_tokens=0"), "--default: max_tokens must be"),
    ],
)
def test_faults_name_the_option(poolgate, options, message):
    """A path such as steps[0][0].weight means nothing on a command line."""
    result = poolgate("model set fast", *options)

    assert result.exit_code != 0
    assert message in result.stderr
    assert "steps[" not in result.stderr


def test_targets_that_no_account_lists(poolgate, services):
    """A warning: the account may list them later, and one that has listed none yet may have any."""
    services.pools.ensure("default")
    main = services.accounts.add("default", Account("", "main", "openai", "http://up.test", credential="sk"))
    silent = poolgate("model set fast --to gpt-9").stderr
    assert "lists gpt-9 yet; main has not listed its models.\n" in silent

    services.accounts.list_models("default", main.id, ["gpt-5"])

    done = poolgate("model set fast --to gpt-5 --then gpt-9 --then gpt-8@main")
    assert done.exit_code == 0
    assert "Warning: no account that the route may use lists gpt-9, gpt-8.\n" in done.stderr


def test_values_and_targets_that_cannot_work(poolgate, services):
    """They are set, since a server may know more, but a warning has the name that was probably meant."""
    account = Account("", "gpu1", "openai", "http://127.0.0.1:1/v1", models=("gpt-5-mini",))
    services.accounts.add("default", account)
    poolgate("model set fast --to gpt-5-mini")

    nested = poolgate("model set faster --to fast --default reasoning_effort=hihg --override service_tier=x")
    unlisted = poolgate("model set other --to gpt-5-mni")
    itself = poolgate("model set gpt-5-mini --to gpt-5-mini --default reasoning_effort=max")

    assert nested.stderr.splitlines() == [
        "Warning: 'fast' is itself a model route, and targets are models: name the models of its steps "
        "instead.",
        "Warning: no known server accepts reasoning_effort 'hihg' (did you mean 'high'?): none, minimal, "
        "low, medium, high, xhigh, max.",
        "Warning: no known server accepts service_tier 'x': auto, default, flex, scale, priority, standard, "
        "fast.",
    ]
    assert unlisted.stderr == (
        "Warning: no account that the route may use lists gpt-5-mni (did you mean 'gpt-5-mini'?).\n"
    )
    assert itself.stderr == ""


def test_a_model_that_rests_is_not_served_now(poolgate, services):
    """The target that is requested instead is shown, also in JSON, until the account is resumed."""
    for name, model in (("aa", "alpha"), ("bb", "beta")):
        services.accounts.add(
            "default", Account("", name, "openai", "http://127.0.0.1:1/v1", models=(model,))
        )
    poolgate("model set fast --to alpha@aa --then beta@bb")
    outcome = {"model": "alpha", "why": "missing", "wait_ms": 100_000}
    services.accounts.observe("default", services.accounts.find("default", "aa").id, {}, outcome=outcome)

    for command in ("model list", "model show fast", "model resolve fast"):
        assert "beta at bb (alpha: aa does not have it, next try in 1 min" in poolgate(command).stdout, (
            command
        )
        result = json.loads(poolgate(f"{command} --json").stdout)
        serving = (result["data"][0] if command == "model list" else result)["serving"]
        assert (serving["model"], serving["accounts"]) == ("beta", ["bb"])

    resumed = poolgate("account resume aa").stdout
    assert resumed == "Account 'aa' in pool 'default' was active; 1 model may be tried again.\n"
    assert poolgate("model list").stdout.splitlines()[-1].endswith("alpha at aa")
