"""Which settings are shown, and which never are."""

from __future__ import annotations

from cryptography.fernet import Fernet

from app.config import Settings
from app.operations.effective_settings import serialize_settings


def test_no_secret_is_shown(tmp_path):
    settings = Settings.from_environment(
        {
            "POOLGATE_HOME": str(tmp_path),
            "REDIS_URL": "redis://:hidden-1@127.0.0.1/0",
            "POOLGATE_SECRET_KEYS": (sealed := Fernet.generate_key().decode()),
            "POOLGATE_METRICS_TOKEN": "hidden-3",
            "OPENAI_BASE_URL": "https://me:hidden-4@proxy.test/v1",
            "PORT": "8123",
        }
    )

    public = serialize_settings(settings)

    assert "hidden" not in str(public)
    assert sealed not in str(public)
    assert public["settings"]["port"] == 8123
    assert public["settings"]["openai_base_url"] == "https://proxy.test/v1"


def test_lists_are_shown_as_they_are_set():
    listed = Settings.from_environment({"POOLGATE_CORS_ORIGINS": "https://a.test,https://b.test"})

    assert serialize_settings(listed)["settings"]["cors_origins"] == "https://a.test, https://b.test"
    assert serialize_settings(Settings(cors_origins=()))["settings"]["cors_origins"] == "off"
