"""The versions of a pool's own prices and model routes: integers as text, which each change increases."""

from __future__ import annotations

NONE_SET = "0"  # the version of a pool that has never set a value
