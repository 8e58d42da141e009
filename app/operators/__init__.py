"""Operators of the gateway: accounts, sessions, tokens, second factor, login throttling."""
