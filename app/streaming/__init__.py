"""
Event streams: decode and encode them, read their events, and fold them into one response.

This package is pure: bytes and dicts in, bytes and dicts out, without I/O, clock, randomness
or logger. Decoders never see a socket. It imports only `app.errors`, `app.durations` and
`schemas.bounds`.
"""
