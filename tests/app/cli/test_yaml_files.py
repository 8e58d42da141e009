"""YAML files of commands."""

from __future__ import annotations

import pytest

from app.cli.yaml_files import MAX_FILE_BYTES, read_yaml
from app.errors import InvalidRequest


def test_a_file(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text("a: [1]")

    assert read_yaml(str(path)) == {"a": [1]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2", "file.yaml:2: the key 'a' is repeated"),
        ("#" * (MAX_FILE_BYTES + 1), "file.yaml: larger than"),
    ],
)
def test_faults_name_the_file(tmp_path, text, problem):
    path = tmp_path / "file.yaml"
    path.write_text(text)

    with pytest.raises(InvalidRequest) as raised:
        read_yaml(str(path))

    assert problem in raised.value.message
    assert raised.value.param == "file"
