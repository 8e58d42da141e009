from __future__ import annotations

import pytest
from marshmallow import ValidationError

from app.operations.account_rules import KIND_RULES
from schemas.accounts import AccountInput, BaseUrl

ACCOUNT, CHANGE = AccountInput(KIND_RULES), AccountInput(KIND_RULES, partial=True)
MINIMAL = {"name": "anna", "kind": "openai"}


@pytest.fixture
def refused(refusal):
    return lambda **fields: refusal(ACCOUNT, {**MINIMAL, **fields})[0]


class TestFields:
    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("kind", ["openai", "chatgpt"]),
            ("models", [[], ["gpt-5.2", "o3"]]),
            ("weight", [1, 1000]),
            ("cap", [1, 100_000]),
            ("group", [0, 99]),
            ("wires", [["chat"], ["responses"], ["chat", "responses"]]),
        ],
    )
    def test_accepted(self, field, values):
        """An absent field is not in the result: defaults belong to the account's kind."""
        for value in values:
            assert ACCOUNT.load({**MINIMAL, field: value}) == {**MINIMAL, field: value}

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("name", ["", "a b", None]),
            ("kind", ["", "demo", "OpenAI", 5, None]),
            ("models", ["gpt", [5], [""], ["gpt-*"], ["*"]]),
            ("weight", [0, -1, 1001, 1.5, "1", True]),
            ("cap", [0, 100_001, "1", True]),
            ("group", [-1, 100, True]),
            ("wires", [[], "chat", ["smoke"], [5]]),
            ("color", ["red"]),
        ],
    )
    def test_refused(self, refused, field, values):
        for value in values:
            assert refused(**{field: value}) == field

    @pytest.mark.parametrize("field", ["name", "kind"])
    def test_required(self, refusal, field):
        body = {name: value for name, value in MINIMAL.items() if name != field}

        assert refusal(ACCOUNT, body) == (field, f"{field} is required")

    def test_a_change_has_only_the_changed_fields(self, refusal):
        assert CHANGE.load({"weight": 5}) == {"weight": 5}
        assert CHANGE.load({}) == {}
        assert refusal(CHANGE, {"weight": 0})[0] == "weight"


class TestTogether:
    def test_a_compatible_account_needs_a_base_url(self, refused):
        assert refused(kind="compatible") == "base_url"
        assert ACCOUNT.load({**MINIMAL, "kind": "compatible", "base_url": "http://localhost:8000/v1"})

    def test_a_chatgpt_account_does_not_speak_chat(self, refused):
        assert refused(kind="chatgpt", wires=["responses", "chat"]) == "wires"
        assert ACCOUNT.load({**MINIMAL, "kind": "chatgpt", "wires": ["responses"]})


class TestBaseUrl:
    @pytest.mark.parametrize("endpoint", ["/chat/completions", "/responses/", "/models"])
    def test_an_endpoint_is_not_a_part_of_it(self, endpoint, refusal):
        body = {**MINIMAL, "base_url": f"https://api.example.com/v1{endpoint}"}

        field, message = refusal(ACCOUNT, body)

        assert field == "base_url"
        assert message.endswith(": https://api.example.com/v1")

    @pytest.mark.parametrize(
        ("given", "stored"),
        [
            ("https://api.openai.com/v1", "https://api.openai.com/v1"),
            ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
            ("http://localhost:11434//", "http://localhost:11434"),
            ("HTTPS://Example.com", "HTTPS://Example.com"),
            ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ],
    )
    def test_paths_can_be_appended(self, given, stored):
        assert ACCOUNT.load({**MINIMAL, "base_url": given})["base_url"] == stored

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "/v1",
            "api.openai.com/v1",
            "//api.openai.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://",
            "https://:443/v1",
            "https://example.com:port",
            "https://example.com:99999",
            "http://[::1",
            "https://example.com/v 1",
            "https://example.com/v1\r\nX-Header: 1",
            "https://exämple.com",
            "https://example.com/v1?key=1",
            "https://example.com/v1?",
            "https://example.com/v1#a",
            5,
            None,
        ],
    )
    def test_refused(self, refused, url):
        assert refused(base_url=url) == "base_url"

    @pytest.mark.parametrize("userinfo", ["anna:hunter2", "anna", ":hunter2", ""])
    def test_credentials_are_refused_and_not_repeated(self, refusal, userinfo):
        body = {**MINIMAL, "base_url": f"https://{userinfo}@example.com/v1"}

        assert refusal(ACCOUNT, body) == ("base_url", "base_url must not hold credentials")


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.169.254:8080",
        "2852039166",
        "0xa9fea9fe",
        "169.254.43518",
        "[::ffff:169.254.169.254]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[fd00:ec2::23]",
        "168.63.129.16",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "100.100.100.200",
        "metadata.google.internal",
        "METADATA.google.internal.",
    ],
)
def test_where_clouds_keep_credentials_is_no_upstream(host: str) -> None:
    with pytest.raises(ValidationError, match="metadata"):
        BaseUrl().deserialize(f"http://{host}/v1")


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.5", "[::1]", "192.168.1.1", "metadata.example.com"])
def test_private_networks_are_where_models_live(host: str) -> None:
    assert BaseUrl().deserialize(f"http://{host}/v1/") == f"http://{host}/v1"
