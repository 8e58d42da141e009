"""Requests: which fields an account supports, and bodies of one protocol translated into the other."""
