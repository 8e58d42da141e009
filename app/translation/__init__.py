"""
Translate requests and events between the two protocols: chat <-> Responses.

This package is pure: it returns new data, without I/O, clock, randomness or logger, and never
changes an argument. It imports only `app.errors`, `app.records`, `app.streaming`, and of `schemas`
the bounds and call ids. The order of lists and of dict keys is preserved, so that equal requests
are equal bytes and prompt caches hit.

A stream translator has `translate(events)`, and `finish()` for the proper end of the upstream's
stream. It never translates a failure: the reader raises it, and `app.api` writes it, as it
does `DONE`.

A request that the other protocol cannot express raises `InvalidRequest` with the field in `param`.
"""
