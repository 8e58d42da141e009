"""Limits on the length of a response, enforced for upstreams that do not support them."""
