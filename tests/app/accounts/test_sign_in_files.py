"""Sign-ins in files of other programs."""

from __future__ import annotations

import orjson
import pytest

from app.accounts.sign_in_files import MAX_ITEMS, FoundAccount, RejectedItem, clean_name, read_sign_ins
from tests.support.sign_in_tokens import issued_token

AUTH = {"chatgpt_account_id": "acc-1", "chatgpt_plan_type": "plus"}
ID_TOKEN = issued_token(**{"email": "ann@example.com", "https://api.openai.com/auth": AUTH})
TOKENS = {"id_token": ID_TOKEN, "access_token": "at-1", "refresh_token": "rt-1", "account_id": "acc-1"}
CODEX = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": TOKENS}

CODEX_LB = {  # an export of codex-lb has the same sign-in in three forms
    "codex_auth_json": CODEX | {"last_refresh": "2026-08-20T10:00:00Z"},
    "opencode_auth_json": {
        "openai": {
            **{"type": "oauth", "refresh": "rt-1", "access": "at-1"},
            **{"expires": 1_787_220_000_000, "accountId": "acc-1"},
        }
    },
    "tokens": {**TOKENS, "expires_at_ms": 1_787_220_000_000},
}


def read(content):
    return read_sign_ins(orjson.dumps(content))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (CODEX, "ann@example.com"),
        (CODEX_LB, "ann@example.com"),
        ({"codex_auth_json": orjson.dumps(CODEX).decode(), "alias": "work"}, "work"),
        ({"type": "codex", **TOKENS, "email": "ann@example.com"}, "ann@example.com"),
        (
            {"accounts": [{"name": "a b", "platform": "openai", "credentials": TOKENS}]},
            "a-b",
        ),
        ({"version": 1, "accounts": [{"name": "x", "auth_data": {"type": "chat_g_p_t", **TOKENS}}]}, "x"),
        ([CODEX], "ann@example.com"),
        ([CODEX_LB], "ann@example.com"),
        ([{"name": "ann", **CODEX}], "ann"),
    ],
    ids=[
        "codex",
        "codex-lb",
        "codex-lb-text",
        "cliproxyapi",
        "sub2api",
        "codex-switcher",
        "list",
        "codex-lb-list",
        "named",
    ],
)
def test_a_sign_in_of_a_program(content, name):
    (item,) = read(content)

    assert isinstance(item, FoundAccount)
    assert item.name == name
    assert item.tokens is not None
    assert (item.tokens.access_token, item.tokens.refresh_token) == ("at-1", "rt-1")
    assert (item.tokens.account_id, item.tokens.email, item.tokens.plan) == (
        "acc-1",
        "ann@example.com",
        "plus",
    )


def test_open_code_has_other_names():
    (item,) = read({"openai": {"type": "oauth", "access": "at", "refresh": "rt", "accountId": "acc-2"}})

    assert item.tokens.account_id == "acc-2"


@pytest.mark.parametrize(
    "content",
    [
        {"OPENAI_API_KEY": "sk-1"},
        {"OPENAI_API_KEY": "sk-1", "tokens": None},
        {"auth_mode": "apikey", "openai_api_key": "sk-1", "tokens": {}},
        {"accounts": [{"name": "a", "type": "apikey", "credentials": {"api_key": "sk-1"}}]},
        {"openai": {"type": "api", "key": "sk-1"}},
    ],
)
def test_an_api_key(content):
    (item,) = read(content)

    assert (item.api_key, item.tokens) == ("sk-1", None)
    assert "sk-1" not in repr(item)


def test_settings_of_cliproxyapi():
    """A weight and a disabled account have a counterpart; the rest is listed, in both spellings."""
    (item,) = read(
        {
            "type": "codex",
            **TOKENS,
            "weight": 3,
            "disabled": True,
            "proxy-url": "http://p",
            "note": "n",
            "prefix": "x",
        }
    )

    assert (item.weight, item.is_disabled, item.unused) == (3, True, ("prefix",))
    assert item.settings == {"proxy_url": "http://p"}
    assert "http://p" not in repr(item)


@pytest.mark.parametrize("weight", [0, 1001, -1, "7", True, 1.5])
def test_an_implausible_weight_is_left_out(weight):
    assert read({"type": "codex", **TOKENS, "weight": weight})[0].weight == 1


class TestRejected:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ({}, "no sign-in in a known form"),
            (7, "not an object"),
            ([], "an empty list"),
            ({"tokens": {"access_token": "at-9"}}, "lacks an access token or a refresh token"),
            ({"OPENAI_API_KEY": None}, "neither tokens nor an API key"),
            ({"agent_identity": "x"}, "an agent identity"),
            ([[[[CODEX]]]], "lists within lists"),
            (
                {"accounts": [{"credentials": {"api_key": "sk-9", "base_url": "http://x"}}]},
                "address of its own",
            ),
        ],
    )
    def test_with_a_reason(self, content, reason):
        (item,) = read(content)

        assert isinstance(item, RejectedItem)
        assert reason in item.reason
        assert item.is_fault
        assert not {"at-9", "sk-9"} & set(repr(item).split("'"))

    @pytest.mark.parametrize(
        "content", [{"type": "gemini", "access_token": "x"}, {"platform": "claude", "credentials": {}}]
    )
    def test_an_account_of_another_provider_is_not_an_error(self, content):
        (item,) = read(content)

        assert not item.is_fault

    @pytest.mark.parametrize("data", [b"", b"\x00\xff\x7fELF", b"[" * 100_000, b'{"tokens":'])
    def test_what_is_not_json(self, data):
        assert read_sign_ins(data) == [RejectedItem("not JSON")]

    def test_one_in_a_list_stops_no_other(self):
        items = read([{"tokens": {}}, CODEX, "x"])

        assert [type(item) for item in items] == [RejectedItem, FoundAccount, RejectedItem]

    def test_too_many(self):
        items = read([{"OPENAI_API_KEY": "sk-1"}] * (MAX_ITEMS + 2))

        assert len(items) == MAX_ITEMS + 1
        assert "only the first" in items[-1].reason


@pytest.mark.parametrize(
    ("text", "name"), [("Ann's Mac", "Ann-s-Mac"), ("我", ""), ("-a@b.c-", "a@b.c"), ("x" * 99, "x" * 64)]
)
def test_names(text, name):
    assert clean_name(text) == name
