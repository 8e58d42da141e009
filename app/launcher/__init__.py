"""
What the command `poolgate` starts, installed under a name of its own.

Our packages are called `app`, `schemas` and `workers`. Another project's `app` on PYTHONPATH, or in
the same environment, would be imported instead and end in a traceback. So ours come first, and where
they are not ours any more this says so. Imports nothing else of ours before that is known.
"""

from __future__ import annotations

import sys
from pathlib import Path

OURS = ("app/wiring.py", "schemas/wire.py", "workers/runner.py")


def main() -> None:
    """Run the command line, or end with one sentence."""
    root = find_root(Path(__file__).resolve())
    if root is None:
        sys.exit(
            "Error: the packages `app`, `schemas` and `workers` next to"
            f" {Path(__file__).parent} are not Poolgate's: another project has overwritten them."
            " Install Poolgate in an environment of its own."
        )
    sys.path.insert(0, str(root))
    from app import log
    from app.cli import main as command

    # not in the command itself, which tests run in their own process; `poolgate up` sets its own level
    log.configure("warning")
    command()


def find_root(file: Path) -> Path | None:
    """Return the folder that has our packages, above *file*: of a wheel, or of a checkout."""
    folders = (file.parents[1], *file.parents[2:3])
    return next((folder for folder in folders if all((folder / one).is_file() for one in OURS)), None)
