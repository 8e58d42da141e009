"""`poolgate price`, on a real store."""

from __future__ import annotations

import json

import pytest


def listed(poolgate, model: str) -> dict:
    (row,) = json.loads(poolgate(f"price list --json --model {model}").stdout)["data"]
    return row


def test_list(poolgate):
    lines = poolgate("price list").stdout.splitlines()

    assert lines[0].split() == [
        "MODEL",
        "INPUT",
        "CACHED",
        "OUTPUT",
        "CONTEXT",
        "MAX",
        "OUTPUT",
        "SINCE",
        "LIST",
    ]
    assert any(line.split()[:4] == ["demo", "free", "free", "free"] for line in lines)
    assert any(
        line.split()[:6] == ["gpt-4.1", "$2.00", "$0.50", "$8.00", "1,047,576", "32,768"] for line in lines
    )


def test_list_of_none(poolgate):
    result = poolgate("price list --model llama")

    assert (result.stdout, "price set" in result.stderr) == ("", True)


def test_set_and_remove(poolgate, services):
    """A pool's own price covers the listed one, whose bounds stay, until it is removed."""
    before = listed(poolgate, "o3-pro")
    poolgate("price set o3-pro --input 1.5 --cached-input 0.000001 --output 3")

    row = listed(poolgate, "o3-pro")
    assert row["standard"] == {"input": 1_500_000, "output": 3_000_000, "cached_input": 1}
    assert (row["context"], row["image"], row["version"]) == (before["context"], before["image"], "pool-1")

    assert poolgate("price remove o3-pro").stdout == "'o3-pro' uses the list price.\n"
    assert poolgate("price remove o3-pro").stdout == "'o3-pro' already uses the list price.\n"
    assert listed(poolgate, "o3-pro") == before


def test_remove_the_only_price(poolgate, services):
    """The model is not in the public list."""
    poolgate("price set llama --input 1 --output 2")

    assert poolgate("price remove llama").stdout == "'llama' has now no price: the list does not have it.\n"
    assert poolgate("price remove llama").stdout == "'llama' has no price: the list does not have it.\n"


def test_a_model_of_ones_own(poolgate, services):
    result = poolgate(
        "price set llama --input 0 --output 0 --context 8192 --max-output 1024 --image 500 --json"
    )

    assert json.loads(result.stdout)["image"] == [500, 500, 500]
    price = services.prices.current("default").find("llama")
    assert (price.context, price.max_output) == (8192, 1024)


@pytest.mark.parametrize("price", ["-1", "nan", "inf", "0.0000001", "100001", "free"])
def test_what_is_no_price(poolgate, price):
    assert poolgate("price set llama --output 1 --input", price).exit_code == 2
