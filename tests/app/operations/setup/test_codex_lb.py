"""What the rows of codex-lb's database mean here."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from app.cli.codex_lb_files import read_tables
from app.errors import InvalidRequest
from app.operations.setup.codex_lb import CodexLb
from app.operations.setup.remarks import Remarks
from tests.support.codex_lb import KEY, account, sealed, source, write_folder

MODEL = {"source_id": "s", "model": "llama-4", "is_enabled": 1}


@pytest.fixture
def convert(tmp_path):
    """Return what rows mean, and the remarks about them."""

    def convert(rows, key=KEY):
        remarks = Remarks()
        return CodexLb(read_tables(write_folder(tmp_path / "data", rows)), Fernet(key), remarks), remarks

    return convert


def texts(remarks):
    return [str(remark) for remark in remarks.all()]


class TestSignIns:
    @pytest.mark.parametrize(
        ("fields", "problem"),
        [
            ({"delete_requested_at": "2026-11-01"}, "it is being deleted"),
            ({"status": "deactivated"}, "it is deactivated: use poolgate account login"),
            ({"refresh_token_encrypted": "text"}, "its tokens cannot be decrypted with encryption.key"),
            ({"refresh_token_encrypted": None}, "its tokens cannot be decrypted with encryption.key"),
            ({"access_token_encrypted": b"gAAAA"}, "its tokens cannot be decrypted with encryption.key"),
            ({"access_token_encrypted": sealed("a b")}, "It lacks an access token or a refresh token"),
            (
                {"access_token_encrypted": sealed("opaque"), "id_token_encrypted": sealed("opaque")},
                "its tokens name no ChatGPT account",
            ),
        ],
    )
    def test_what_cannot_be_used(self, convert, fields, problem):
        codex_lb, remarks = convert({"accounts": [account("a", "ann@example.com", **fields)]})

        assert codex_lb.sign_ins() == []
        assert texts(remarks)[0].startswith(f"not imported: accounts 'ann@example.com': {problem}")

    @pytest.mark.parametrize("status", ["active", "rate_limited", "quota_exceeded", 7, None])
    def test_other_states_are_active(self, convert, status):
        """Whether an account has usage left is found out again."""
        (sign_in,) = convert({"accounts": [account("a", "a@b", status=status)]})[0].sign_ins()

        assert not sign_in.is_paused

    def test_a_sign_in_twice(self, convert):
        """The newest tokens are taken."""
        older = account(
            "b", "ann@example.com", chatgpt_account_id="acc-a", last_refresh="2026-01-01", alias="old"
        )
        codex_lb, remarks = convert({"accounts": [older, account("a", "ann@example.com")]})

        (sign_in,) = codex_lb.sign_ins()

        assert (sign_in.tokens.refresh_token, sign_in.rows) == ("token-refresh-a", ["a", "b"])
        assert texts(remarks) == [
            "not imported: accounts 'old': its sign-in is that of 'ann@example.com', which is newer"
        ]

    @pytest.mark.parametrize(
        "proxy",
        [
            {"account_proxy_bindings": [{"id": "p", "account_id": "a", "is_active": 1}]},
            {"dashboard_settings": [{"upstream_proxy_routing_enabled": 1}]},
        ],
    )
    def test_an_account_behind_a_proxy(self, convert, proxy):
        """It sends nothing from another address until an operator says so."""
        codex_lb, remarks = convert({"accounts": [account("a", "ann@example.com")], **proxy})

        assert codex_lb.sign_ins()[0].is_paused
        assert texts(remarks)[0].startswith("changed: accounts 'ann@example.com': paused, because its proxy")

    def test_a_routing_policy(self, convert):
        codex_lb, remarks = convert({"accounts": [account("a", "a@b", routing_policy="burn_first")]})

        assert len(codex_lb.sign_ins()) == 1
        assert "its routing policy: see poolgate account set --group" in texts(remarks)[0]


class TestSources:
    @pytest.mark.parametrize(
        ("fields", "problem"),
        [
            ({"kind": "other"}, "its kind has no counterpart"),
            ({"supports_chat_completions": 0}, "it serves neither chat completions nor responses"),
            ({"id": "none"}, "it has no enabled model"),
            ({"api_key_encrypted": b"x"}, "its API key cannot be decrypted with encryption.key"),
            ({"base_url": "ftp://a"}, "base_url must be an http or https URL with a host"),
            ({"base_url": None}, "base_url is required"),
            ({"base_url": "http://169.254.169.254/"}, "base_url must not be a link-local address"),
            ({"max_concurrency": "many"}, "cap must be"),
            ({"timeout_seconds": -1}, "timeout_seconds must be"),
        ],
    )
    def test_what_has_no_counterpart(self, convert, fields, problem):
        rows = {"model_sources": [source("s", "gpu") | fields], "model_source_models": [MODEL]}
        codex_lb, remarks = convert(rows)

        assert codex_lb.document({}, takes_keys=True) == {"version": 1}
        assert texts(remarks)[0].startswith(f"not imported: model_sources 'gpu': {problem}")

    def test_names_and_secrets(self, convert):
        """Names differ from those of the sign-ins, and each secret has a variable of its own."""
        sources = [
            source("s", "a.b"),
            source("t", "a b", is_enabled=0),
            source("u", "ann", api_key_encrypted=None),
        ]
        models = [MODEL | {"source_id": each["id"]} for each in sources]
        codex_lb, _ = convert({"model_sources": sources, "model_source_models": models})

        accounts = codex_lb.document({"x": "ann"}, takes_keys=True)["accounts"]

        assert [each["name"] for each in accounts] == ["a.b", "a-b", "ann-2"]
        assert [each.get("paused", False) for each in accounts] == [False, True, False]
        assert [*codex_lb.secrets] == ["CODEX_LB_A_B_API_KEY", "CODEX_LB_A_B_API_KEY_"]

    def test_prices(self, convert):
        models = [
            MODEL | {"input_per_1m": 0.1, "output_per_1m": 0.25, "context_window": 131072},
            MODEL | {"model": "half", "input_per_1m": 0.1},
            MODEL | {"model": "wrong", "input_per_1m": -1, "output_per_1m": "x"},
        ]
        codex_lb, remarks = convert({"model_sources": [source("s", "gpu")], "model_source_models": models})

        prices = codex_lb.document({}, takes_keys=True)["prices"]

        assert prices == {"llama-4": {"input": 0.1, "output": 0.25, "context": 131072}}
        assert "not imported: model_source_models 'wrong'" in texts(remarks)[0]


def test_a_wrong_key(convert):
    codex_lb, _ = convert({"accounts": [account("a", "a@b")]}, key=Fernet.generate_key())

    with pytest.raises(InvalidRequest, match="it decrypts none of the secrets"):
        codex_lb.check_cipher()


def test_nothing_to_open(convert):
    codex_lb, _ = convert({}, key=Fernet.generate_key())

    codex_lb.check_cipher()
    assert codex_lb.document({}, takes_keys=True) == {"version": 1}
