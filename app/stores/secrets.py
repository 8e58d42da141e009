"""
Secrets at rest: upstream keys and tokens are stored as Fernet tokens.

The first key encrypts and every key decrypts, so that keys can be rotated. They come from the
environment, or from a 0600 file that the first start creates.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

MAX_KEY_FILE_BYTES = 65_536  # room for hundreds of keys


def digest_of(secret: str) -> str:
    """Return the SHA-256 (hex) of *secret*, which is stored where the secret itself need not be read."""
    return hashlib.sha256(secret.encode()).hexdigest()


class UnreadableSecret(Exception):
    """A stored secret was encrypted with a key that this process does not have."""


class Vault:
    """Encrypts and decrypts secrets with one or more keys."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = keys
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def derived(self, purpose: str) -> tuple[str, ...]:
        """Derive a key for *purpose* (hex, 256 bits) from each key, newest first."""
        return tuple(hmac.digest(key.encode(), purpose.encode(), "sha256").hex() for key in self._keys)

    @property
    def size(self) -> int:
        """The number of keys."""
        return len(self._keys)

    def position(self, sealed: str) -> int | None:
        """Return the position of the key that encrypted *sealed* (0: the newest), None for an unknown key."""
        for position, key in enumerate(self._keys):
            try:
                Fernet(key).decrypt(sealed.encode())
            except InvalidToken:
                continue
            return position
        return None

    def seal(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return the secret in *sealed*, '' for ''. Raises UnreadableSecret."""
        if not sealed:
            return ""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise UnreadableSecret(
                "a stored credential was encrypted with another POOLGATE_SECRET_KEYS; "
                "put that key back into the list, or add the account again"
            ) from None

    def seal_bytes(self, data: bytes) -> bytes:
        return self._fernet.encrypt(data)

    def open_bytes(self, sealed: str) -> bytes:
        """Return the data in *sealed*. Raises UnreadableSecret."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            raise UnreadableSecret("stored data was encrypted with another POOLGATE_SECRET_KEYS") from None


def keys_in_file(path: Path) -> tuple[str, ...]:
    """
    Return the keys in *path*, newest first; make the file with one new key if there is none.

    Two processes may start at once. The new file is linked into place, so both use that of the first one.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    if not path.is_file():  # reading a pipe would block until it has a writer
        raise OSError(errno.EINVAL, "not a file", str(path))
    with path.open(encoding="utf-8") as file:
        return tuple(line for line in file.read(MAX_KEY_FILE_BYTES).splitlines() if line)
