from __future__ import annotations

import base64
import io
import os

import pytest

from app.backup import encrypted_file
from app.backup.encrypted_file import EncryptedReader, EncryptedWriter, UnreadableFile

PASSPHRASE = "correct horse battery"
LINES = [os.urandom(2000).hex().encode() for _ in range(300)]


@pytest.fixture(scope="module")
def sealed() -> bytes:
    """A file of some chunks."""
    file = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encrypted_file, "CHUNK_BYTES", 100_000)
        patch.setattr(
            encrypted_file, "KDF", encrypted_file.KDF | {"memory_kib": 64}
        )  # it is opened a hundred times
        writer = EncryptedWriter(file, PASSPHRASE)
        for line in LINES:
            writer.write(line + b"\n")
        writer.close()
    return file.getvalue()


def read(data: bytes, passphrase: str = PASSPHRASE) -> list[bytes]:
    return list(EncryptedReader(io.BytesIO(data), passphrase).lines())


def chunks(data: bytes) -> list[bytes]:
    """What is after the first line, in its parts."""
    at, found = data.index(b"\n") + 1, []
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        found.append(data[at:end])
        at = end
    return found


def header(data: bytes) -> bytes:
    return data[: data.index(b"\n") + 1]


def test_it_reads_what_was_written(sealed: bytes) -> None:
    assert len(chunks(sealed)) > 4
    assert read(sealed) == LINES


def test_a_file_of_a_former_version() -> None:
    """What has been written can be read after an update of the libraries."""
    first_line = (
        b'{"format":"poolgate backup","version":1,"kdf":{"name":"argon2id","passes":3,"memory_kib":65536,'
        b'"lanes":4,"salt":"fQ9f1hnS82KY+USXJqkm5Q=="}}\n'
    )
    content = base64.b64decode(
        "AAAAGB7qUAq6ahGbU1B1sKMRDVDZQh7yNpVENAAAADCzRzuws+15tvBlhlxmGrJWqsGMFzC61WI7P8ip1iQ/wkhIj8c5N+69"
        "BL4A7HdcewM="
    )

    assert read(first_line + content) == [b"first line", b"second line"]


def test_nothing_can_be_read_in_it(sealed: bytes) -> None:
    assert not any(line[:16] in sealed for line in LINES)


def test_two_files_share_no_chunk(sealed: bytes) -> None:
    file = io.BytesIO()
    EncryptedWriter(file, PASSPHRASE).close()

    assert chunks(file.getvalue())[0] != chunks(sealed)[0]


def test_another_passphrase(sealed: bytes) -> None:
    with pytest.raises(UnreadableFile, match="passphrase is not that of this file") as error:
        read(sealed, "another passphrase")

    assert error.value.param == "passphrase"


def test_cut_off_anywhere(sealed: bytes) -> None:
    """Also exactly between two chunks, where nothing looks broken."""
    ends, at = [], len(header(sealed))
    for chunk in chunks(sealed):
        ends += [at + 2, at + len(chunk) // 2, at + len(chunk)]
        at += len(chunk)
    for end in ends[:-1]:
        with pytest.raises(UnreadableFile, match="cut off"):
            read(sealed[:end])


@pytest.mark.parametrize("place", ["first", "middle", "last", "length", "header"])
def test_a_bit_that_is_not_as_it_was(sealed: bytes, place: str) -> None:
    first = len(header(sealed))
    at = {
        "first": first + 9,
        "middle": len(sealed) // 2,
        "last": len(sealed) - 1,
        "length": first + 4 + len(chunks(sealed)[0]),
        "header": sealed.index(b"salt") + 8,
    }[place]
    broken = bytearray(sealed)
    broken[at] ^= 1

    with pytest.raises(UnreadableFile):
        read(bytes(broken))


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: [parts[0], parts[2], parts[1], *parts[3:]],
        lambda parts: [*parts[:2], parts[1], *parts[2:]],
        lambda parts: [*parts[:2], *parts[3:]],
        lambda parts: [*parts, parts[-1]],
        lambda parts: [*parts[:-2], parts[-1]],
    ],
    ids=["swapped", "repeated", "taken away", "with more behind it", "without the one before its last"],
)
def test_chunks_that_are_not_in_their_place(sealed: bytes, change) -> None:
    with pytest.raises(UnreadableFile):
        read(header(sealed) + b"".join(change(chunks(sealed))))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a backup"),
        (b"PK\x03\x04 zip", "not a backup"),
        (b'{"format": "poolgate backup", "version": 2, "kdf": {}}\n', "newer"),
        (b'{"format": "poolgate backup", "version": 1, "kdf": {"passes": 1}}\n', "first line"),
    ],
)
def test_other_files(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        read(data)


def test_a_file_that_requires_too_much_memory(sealed: bytes) -> None:
    with pytest.raises(UnreadableFile, match="first line"):
        read(sealed.replace(b'"memory_kib":64', b'"memory_kib":65536000'))
