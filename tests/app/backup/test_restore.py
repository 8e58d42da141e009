"""Files that can be decrypted, but have invalid content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.fernet import Fernet

from app.backup.encrypted_file import EncryptedWriter, UnreadableFile
from app.backup.restore import BackupFile, Restore
from app.errors import InvalidRequest
from app.stores import keys
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from tests.support.store import POOL, StoreOfTest

HEAD = ["backup", {"id": "b", "at": 1, "by": "a test", "pools": [POOL]}]
BEGIN = ["pool", {"name": POOL, "last_id": "", "added": "", "deleted": ""}]
END = ["end of pool", {"accounts": 0, "keys": 0, "rows": 0, "open": 0}]


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(*lines: list[Any]) -> BackupFile:
        path = tmp_path / "f"
        with path.open("wb") as file:
            sealed = EncryptedWriter(file, "a passphrase")
            for line in lines:
                sealed.write(orjson.dumps(line) + b"\n")
            sealed.close()
        return BackupFile(path, "a passphrase")

    return write


@pytest.mark.parametrize(
    "lines", [[], [["row"]], [HEAD], [HEAD, BEGIN, END], [HEAD, BEGIN, ["end"]], [HEAD, ["end"]]]
)
def test_lines_that_are_missing(written: Any, lines: list[Any]) -> None:
    """As of a Poolgate that was killed while it wrote, had the file been given its name all the same."""
    with pytest.raises(UnreadableFile):
        written(*lines).contents()


def test_the_declared_contents(written: Any) -> None:
    contents = written(HEAD, BEGIN, END, ["end"]).contents()

    assert (contents.id, contents.pools) == ("b", {POOL: END[1]})


def test_a_pool_that_is_filled_at_the_last_moment(written: Any, redis_client: Any) -> None:
    file = written(HEAD, BEGIN, END, ["end"])
    work = Restore(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)))
    contents = file.contents()
    assert work.find_replaced(contents, [POOL], replace=False) == {}
    StoreOfTest(redis_client).key("k")

    with pytest.raises(InvalidRequest, match="not empty anymore"):
        work.run(file, contents, [POOL], replace=False)

    assert redis_client.hget(keys.key_names(POOL), "k") == "k"
