"""Operators of the gateway: accounts, sessions, tokens, second factor, limits of sign-in attempts."""
