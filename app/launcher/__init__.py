"""
The entry point of the command `poolgate`, in a package with a distinct name.

The packages of Poolgate are called `app`, `schemas` and `workers`. Another project's `app` on PYTHONPATH, or
in the same environment, could be imported instead. So this module puts them first on the path, and prints a
clear error if they were overwritten. It imports none of them before that check.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

INTERRUPTED = 130  # exit status, as after SIGINT
MARKER_FILES = ("app/wiring.py", "schemas/fields.py", "workers/runner.py")


def main() -> None:
    """Run the command line, or end with one sentence."""
    root = find_root(Path(__file__).resolve())
    if root is None:
        sys.exit(
            "Error: the packages `app`, `schemas` and `workers` next to"
            f" {Path(__file__).parent} are not Poolgate's: another project has overwritten them."
            " Install Poolgate in an environment of its own."
        )
    if sys.stdout is None:  # closed by `>&-`: the first file that is opened would become it
        sys.exit("Error: standard output is closed; >/dev/null discards it")
    open_closed_streams()
    sys.path.insert(0, str(root))
    try:
        from app import log
        from app.cli import main as command

        # not in the command itself, which tests run in their own process; `poolgate up` sets its own level
        log.configure("warning")
        command()
    except KeyboardInterrupt:  # before or after the command, which handles it itself
        sys.exit(INTERRUPTED)


def open_closed_streams() -> None:
    """Replace standard input and error that were closed, `<&-`: the first files opened would become them."""
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def find_root(file: Path) -> Path | None:
    """Return the folder of the packages above *file*, in a wheel or a checkout; None if there is none."""
    folders = (file.parents[1], *file.parents[2:3])
    return next(
        (folder for folder in folders if all((folder / file).is_file() for file in MARKER_FILES)), None
    )
