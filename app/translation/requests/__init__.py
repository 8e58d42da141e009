"""Requests: which fields an account supports, and the translation of bodies between the protocols."""
