"""
Write and read a file encrypted with a passphrase, as a stream.

    {"format": "poolgate backup", "version": 1, "kdf": {…}}\\n     not encrypted
    length (4 bytes, big-endian), AES-256-GCM of that many bytes   any number of times

Argon2id derives the key from the passphrase and a salt of the file, so no two files share a key. A
chunk's nonce is its position, and whether it is the last: chunks that were changed, moved, repeated or
removed, also at the end, cannot be decrypted. Every chunk authenticates the first line. The first chunk
holds a known word, which distinguishes a wrong passphrase from a damaged file. The content of the
others is one zstandard stream.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import IO, Any, cast

import orjson
import zstandard
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import InvalidRequest

FORMAT, VERSION = "poolgate backup", 1
CHUNK_BYTES = 256 * 1024
MAX_CHUNK_BYTES = 16 * 1024 * 1024
MAX_HEADER_BYTES = 1024
READ_BYTES = 1024 * 1024
MAX_LINE_BYTES = 256 * 1024 * 1024  # a day with a million totals has about 50 MiB
TAG_BYTES = 16
KNOWN = b"poolgate"
# RFC 9106, its second recommendation: 64 MiB, so that each guess costs a tenth of a second anywhere
KDF = {"name": "argon2id", "passes": 3, "memory_kib": 65536, "lanes": 4}
MAX_PASSES, MAX_MEMORY_KIB, MAX_LANES = 16, 1024 * 1024, 16  # upper bounds of what a file may require


class UnreadableFile(InvalidRequest):
    """The file is no backup, is damaged or incomplete, or has another passphrase."""

    def __init__(self, message: str, param: str = "file") -> None:
        super().__init__(message, param=param)


class EncryptedWriter:
    """`write` any bytes, then `close`; without `close` the file is incomplete."""

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        salt = base64.b64encode(os.urandom(16)).decode()
        self._header = (
            orjson.dumps({"format": FORMAT, "version": VERSION, "kdf": KDF | {"salt": salt}}) + b"\n"
        )
        self._cipher = _cipher(passphrase, KDF | {"salt": salt})
        self._file = file
        self._position = 0
        self._compressor = zstandard.ZstdCompressor(level=3).compressobj()
        self._waiting = bytearray()
        file.write(self._header)
        self._seal(KNOWN, last=False)

    def write(self, data: bytes) -> None:
        self._waiting += self._compressor.compress(data)
        while len(self._waiting) >= CHUNK_BYTES:
            self._seal(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]

    def close(self) -> None:
        self._seal(bytes(self._waiting) + self._compressor.flush(), last=True)

    def _seal(self, data: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._position, last=last), data, self._header)
        self._file.write(len(sealed).to_bytes(4, "big") + sealed)
        self._position += 1


class EncryptedReader:
    """Checks the beginning of *file*; `lines` then yields the decrypted lines."""

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        """Read and check the beginning of *file*. Raises UnreadableFile."""
        self._file = file
        self._header = file.readline(MAX_HEADER_BYTES)
        self._cipher = _cipher(passphrase, _kdf_in(self._header))
        self._position = 0
        sealed = self._next()
        try:
            known = self._cipher.decrypt(_nonce(0, last=False), sealed, self._header)
        except InvalidTag:
            known = b""
        if known != KNOWN:
            raise UnreadableFile(
                "The passphrase is not that of this file, or the beginning of the file is damaged",
                "passphrase",
            )
        self._position = 1

    def lines(self) -> Iterator[bytes]:
        """Yield every line, without its newline. Raises UnreadableFile if the file was changed."""
        rest: list[bytes] = []
        length = 0
        for data in self._content():
            *lines, last = data.split(b"\n")
            for line in lines:
                yield b"".join((*rest, line))
                rest, length = [], 0
            rest.append(last)
            length += len(last)
            if length > MAX_LINE_BYTES:
                raise UnreadableFile("The file is damaged: a line is too long")

    def _content(self) -> Iterator[bytes]:
        """Yield the decompressed content, at most READ_BYTES at once, however much a chunk holds."""
        source = _Chunks(self._chunks())
        try:
            with zstandard.ZstdDecompressor().stream_reader(cast(IO[bytes], source)) as reader:
                while data := reader.read(READ_BYTES):
                    yield data
        except zstandard.ZstdError:
            raise UnreadableFile("The file is damaged: its content cannot be decompressed") from None
        while source.read(READ_BYTES):  # read to the end, which shows whether the file is complete
            pass

    def _chunks(self) -> Iterator[bytes]:
        sealed = self._next()
        if not sealed:
            raise _cut_off()
        while sealed:
            following = self._next()
            yield self._open(sealed, last=not following)
            self._position += 1
            sealed = following

    def _open(self, sealed: bytes, *, last: bool) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(self._position, last=last), sealed, self._header)
        except InvalidTag:
            pass
        if last:
            try:
                self._cipher.decrypt(_nonce(self._position, last=False), sealed, self._header)
            except InvalidTag:
                pass
            else:
                raise _cut_off()
        raise UnreadableFile(f"The file is damaged (at part {self._position})")

    def _next(self) -> bytes:
        """Return the next chunk, still encrypted; b'' at the end of the file."""
        head = self._file.read(4)
        if not head and self._position:
            return b""
        length = int.from_bytes(head, "big")
        if len(head) < 4:
            raise _cut_off()
        if not TAG_BYTES <= length <= MAX_CHUNK_BYTES:
            raise UnreadableFile(f"The file is damaged (at part {self._position})")
        sealed = self._file.read(length)
        if len(sealed) < length:
            raise _cut_off()
        return sealed


class _Chunks:
    """The decrypted chunks as a file that can be read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return b""
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _cut_off() -> UnreadableFile:
    return UnreadableFile("The file is cut off: its end is missing")


def _nonce(position: int, *, last: bool) -> bytes:
    return position.to_bytes(11, "big") + bytes([last])


def _kdf_in(header: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(header)
        is_backup = fields["format"] == FORMAT
        version, kdf = int(fields["version"]), dict(fields["kdf"])
    except (orjson.JSONDecodeError, TypeError, KeyError, ValueError):
        is_backup = False
    if not is_backup:
        raise UnreadableFile("The file is not a backup that poolgate made")
    if version > VERSION:
        raise UnreadableFile("The file was made by a newer Poolgate: restore it with that one")
    return kdf


def _cipher(passphrase: str, kdf: dict[str, Any]) -> AESGCM:
    try:
        passes, memory_kib, lanes = (int(kdf[name]) for name in ("passes", "memory_kib", "lanes"))
        salt = base64.b64decode(kdf["salt"], validate=True)
    except (KeyError, TypeError, ValueError):
        passes = memory_kib = lanes = 0
        salt = b""
    bounded = (
        0 < passes <= MAX_PASSES and 0 < lanes <= MAX_LANES and 8 * lanes <= memory_kib <= MAX_MEMORY_KIB
    )
    if not bounded or len(salt) != 16 or kdf.get("name") != KDF["name"]:
        raise UnreadableFile("The file's first line is damaged")
    key = hash_secret_raw(
        passphrase.encode(), salt, passes, memory_kib, parallelism=lanes, hash_len=32, type=Type.ID
    )
    return AESGCM(key)
