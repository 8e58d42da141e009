"""Limits of a response's length, enforced here for upstreams that do not support them."""
