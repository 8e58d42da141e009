"""The versions of what a pool sets itself: texts of integers, which each change increases."""

from __future__ import annotations

NONE_SET = "0"  # of a pool that has never set any
