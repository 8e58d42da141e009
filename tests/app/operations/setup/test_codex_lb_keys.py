"""The API keys of codex-lb's database: none is allowed more than before."""

from __future__ import annotations

import pytest

from app.cli.codex_lb_files import read_tables
from app.operations.setup.codex_lb_keys import keys_of
from app.operations.setup.remarks import Remarks
from tests.support.codex_lb import api_key, limit, write_folder

ACCOUNTS, SOURCES = {"a": "ann", "b": "bob"}, {"s": "gpu"}


@pytest.fixture
def convert(tmp_path):
    """Return the entries of keys, and the remarks about them, as text."""

    def convert(*keys, **tables):
        remarks = Remarks()
        folder = write_folder(tmp_path / "data", {"api_keys": list(keys), **tables})
        return keys_of(read_tables(folder), ACCOUNTS, SOURCES, remarks), [str(each) for each in remarks.all()]

    return convert


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"allowed_models": "[]"}, {}),
        ({"allowed_models": '["gpt-5.2", "o5"]'}, {"models": ["gpt-5.2", "o5"]}),
        ({"allowed_models": '["gpt-5.2", "o5"]', "enforced_model": "o5"}, {"models": ["o5"]}),
        ({"expires_at": "2030-01-01 10:00:00.000000"}, {"expires": "2030-01-01 10:00:00.000000"}),
        ({"is_active": 0}, {"disabled": True}),
        ({"is_active": "yes"}, {"disabled": True}),
    ],
)
def test_fields(convert, fields, expected):
    key = api_key("k", "ann", **fields)

    assert convert(key)[0] == [{"name": "ann", "sha256": key["key_hash"], **expected}]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"allowed_models": "gpt-5.2"}, "allowed_models is not JSON"),
        ({"allowed_models": ""}, "allowed_models is not JSON"),
        ({"allowed_models": 5}, "allowed_models is n"),
        ({"allowed_models": "0"}, "allowed_models is no list of names"),
        ({"allowed_models": "null"}, "allowed_models is no list of names"),
        ({"allowed_models": "[1]"}, "allowed_models is no list of names"),
        ({"allowed_models": '["gpt-*"]'}, "a name of a model has a *, which is a pattern here"),
        ({"allowed_models": '["a\\u0000"]'}, "models[0] must not have unprintable characters"),
        ({"enforced_model": b"x"}, "allowed_models is no list of names"),
        ({"enforced_model": ""}, "models"),
        ({"expires_at": "soon"}, "expires must be a date"),
        ({"expires_at": 5}, "expires must be"),
        ({"key_hash": "A" * 64}, "sha256 must be 64 hexadecimal digits"),
        ({"key_hash": None}, "sha256"),
        (
            {"account_assignment_scope_enabled": 1, "source_assignment_scope_enabled": 1},
            "none of the accounts",
        ),
    ],
)
def test_what_is_left_out(convert, fields, problem):
    entries, remarks = convert(api_key("k", "ann", **fields))

    assert entries == []
    assert remarks[0].startswith(f"not imported: api_keys 'ann': {problem}")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (("cost_usd", "weekly", 1_500_000), "1.5 usd/week"),
        (("cost_usd", "7d", 1), "0.000001 usd/week"),
        (("input_tokens", "daily", 5, "o5"), "5 input_tokens/day for o5"),
        (("output_tokens", "monthly", 5), "5 output_tokens/month"),
        (("total_tokens", "5h", 5), "not imported: api_keys 'ann': its limit of total_tokens per 5h has no"),
        (("credits", "weekly", 5), "not imported: api_keys 'ann': its limit of credits per weekly has no"),
        (("total_tokens", "daily", 0), "not imported: api_keys 'ann': A limit must be above zero"),
        (("total_tokens", "daily", 2**62), "not imported: api_keys 'ann': A limit per day of more than"),
        (("total_tokens", "daily", 1.5), "not imported: api_keys 'ann': its limit of total_tokens per daily"),
        (("total_tokens", "daily", 5, "gpt-*"), "not imported: api_keys 'ann': the model_filter of a limit"),
        (("total_tokens", "daily", 5, b"x"), "not imported: api_keys 'ann': the model_filter of a limit"),
        (("total_tokens", "daily", 5, "a b"), "not imported: api_keys 'ann': the model_filter of a limit"),
    ],
)
def test_limits(convert, row, expected):
    """A key is left out with a limit that has no counterpart."""
    entries, remarks = convert(api_key("k", "ann"), api_key_limits=[limit("k", *row)])

    if expected.startswith("not"):
        assert entries == []
        assert remarks[0].startswith(expected)
    else:
        assert entries[0]["limits"] == [expected]
        assert remarks == [
            "changed: api_key_limits: they count from now on, in days, weeks and months of the calendar"
        ]


@pytest.mark.parametrize(
    ("accounts", "sources", "switches", "expected"),
    [
        (["a"], [], {}, ["ann", "gpu"]),
        (["a", "gone"], ["s"], {}, ["ann", "gpu"]),
        ([], ["s"], {"account_assignment_scope_enabled": 1}, ["gpu"]),
        ([], [], {"source_assignment_scope_enabled": 1}, ["ann", "bob"]),
    ],
)
def test_accounts(convert, accounts, sources, switches, expected):
    """The scope of accounts, and that of model sources, restrict those of their kind."""
    entries, _ = convert(
        api_key("k", "ann", **switches),
        api_key_accounts=[{"api_key_id": "k", "account_id": each} for each in accounts],
        api_key_model_sources=[{"api_key_id": "k", "source_id": each} for each in sources],
    )

    assert entries[0]["accounts"] == expected


def test_what_a_key_loses(convert):
    fields = {"enforced_model": "o5", "enforced_service_tier": "flex", "traffic_class": "opportunistic"}

    assert convert(api_key("k", "ann", **fields))[1] == [
        "changed: api_keys 'ann': enforced_model: requests for other models are refused, not changed",
        "not imported: api_keys 'ann': enforced_service_tier, traffic_class: no counterpart",
    ]


def test_names_and_digests_are_unique(convert):
    """A name gets a number; of two keys with one digest, the first is imported."""
    keys = (
        api_key("k", "ann"),
        api_key("l", "ann"),
        api_key("m", "other", key_hash=api_key("k", "")["key_hash"]),
    )

    entries, remarks = convert(*keys)

    assert [entry["name"] for entry in entries] == ["ann", "ann-2"]
    assert remarks == ["not imported: api_keys 'other': another key has its key_hash"]
