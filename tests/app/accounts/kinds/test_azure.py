from __future__ import annotations

from app.accounts.kinds import KINDS, KINDS_BY_PROVIDER
from app.operations.account_rules import KIND_RULES

AZURE, OPENAI = KINDS["azure"], KINDS["openai"]


class TestAzure:
    def test_credential(self):
        """Azure takes the API key in a header of its own."""
        assert AZURE.credential_headers("k") == {"api-key": "k"}

    def test_endpoints(self):
        assert [AZURE.path(endpoint) for endpoint in ("chat", "responses", "embeddings")] == [
            "/chat/completions",
            "/responses",
            "/embeddings",
        ]

    def test_like_openai(self):
        assert (AZURE.protocols, AZURE.dialect, AZURE.models_path) == (
            OPENAI.protocols,
            OPENAI.dialect,
            OPENAI.models_path,
        )

    def test_base_url_is_required(self):
        """Each resource has a host of its own."""
        assert KIND_RULES["azure"].needs_base_url

    def test_provider(self):
        assert KINDS_BY_PROVIDER["azure"] == ("azure",)
        assert "azure" not in KINDS_BY_PROVIDER["openai"]
