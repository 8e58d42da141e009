"""Limits of an answer's length, enforced here for upstreams that do not support them."""
