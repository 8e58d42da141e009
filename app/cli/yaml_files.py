"""Read the YAML files passed to commands."""

from __future__ import annotations

from typing import Any

from app.cli.files import read_file
from app.errors import InvalidRequest
from app.operations.setup.yaml_text import parse_yaml

MAX_FILE_BYTES = 1024 * 1024


def read_yaml(path: str) -> Any:
    """Return the content of the YAML file *path*, `-` for standard input. Raises InvalidRequest, OSError."""
    data = read_file(path, MAX_FILE_BYTES)
    try:
        return parse_yaml(data)
    except InvalidRequest as error:
        name = "standard input" if path == "-" else path
        raise InvalidRequest(f"{name}: {error.message}", param="file") from None
