"""Read the YAML files passed to commands."""

from __future__ import annotations

from typing import Any

from app.cli.files import read_file
from app.errors import InvalidRequest
from app.operations.setup.yaml_text import YamlDocument, YamlInvalid, read_document

MAX_FILE_BYTES = 1024 * 1024


def read_yaml(path: str) -> Any:
    """Return the content of the YAML file *path*, see `read_yaml_document`."""
    return read_yaml_document(path).content


def read_yaml_document(path: str) -> YamlDocument:
    """Read the YAML file *path*, `-` for standard input. Raises InvalidRequest, OSError."""
    data = read_file(path, MAX_FILE_BYTES)
    try:
        return read_document(data)
    except YamlInvalid as error:
        place = f"{file_label(path)}:{error.line}" if error.line else file_label(path)
        raise InvalidRequest(f"{place}: {error.problem}", param="file") from None


def file_label(path: str) -> str:
    """Return *path* as messages name it."""
    return "standard input" if path == "-" else path
