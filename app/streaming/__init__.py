"""
Bytes of an event stream, what they mean, and the whole answer they add up to.

The law of this package: pure. Bytes and dicts come in, bytes and dicts go out: no I/O,
no clock, no randomness, no logger. Decoders are fed and flushed and never see a socket;
of the rest of the application they know `app.errors` alone.
"""
