"""Secrets at rest: the newest key encrypts, every key decrypts."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from app.stores.secrets import UnreadableSecret, Vault, keys_in_file

NEW, OLD, OTHER = (Fernet.generate_key().decode() for _ in range(3))


class TestVault:
    def test_seals_with_the_newest_key(self) -> None:
        sealed = Vault((NEW, OLD)).seal("sk-1")

        assert "sk-1" not in sealed
        assert Vault((NEW,)).open(sealed) == "sk-1"
        assert Vault((OLD, NEW)).position(sealed) == 1

    def test_opens_with_every_key(self) -> None:
        assert Vault((NEW, OLD)).open(Vault((OLD,)).seal("sk-1")) == "sk-1"

    def test_unknown_key(self) -> None:
        sealed = Vault((OTHER,)).seal("sk-1")

        assert Vault((NEW, OLD)).position(sealed) is None
        with pytest.raises(UnreadableSecret):
            Vault((NEW, OLD)).open(sealed)

    def test_empty_stays_empty(self) -> None:
        assert Vault((NEW,)).open("") == ""

    def test_derived_keys_differ_by_purpose_and_key(self) -> None:
        vault = Vault((NEW, OLD))

        assert len({*vault.derived("cookies"), *vault.derived("csrf")}) == 4
        assert vault.derived("cookies") == Vault((NEW, OLD)).derived("cookies")


class TestFile:
    def test_is_created_once_and_private(self, tmp_path: Path) -> None:
        path = tmp_path / "home" / "secret.key"

        assert keys_in_file(path) == keys_in_file(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(path.parent.iterdir()) == [path]

    def test_newest_first(self, tmp_path: Path) -> None:
        path = tmp_path / "secret.key"
        path.write_text(f"{NEW}\n\n{OLD}\n")

        assert keys_in_file(path) == (NEW, OLD)
