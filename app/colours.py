"""Whether a stream shows colours."""

from __future__ import annotations

import os
from typing import TextIO


def shows_colours(stream: TextIO) -> bool:
    """
    Return whether *stream* is a terminal that shows colours.

    NO_COLOR forbids them (https://no-color.org), and a terminal of the type `dumb` shows none.
    """
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
