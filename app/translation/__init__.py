"""
One wire's requests and events said in the other's words: chat <-> Responses.

The law of this package: pure. Data comes in, new data goes out: no I/O, no clock, no
randomness, no logger, and no argument is ever changed. Of the rest of the application it
knows `app.errors` and the events and usage of `app.streaming`. Lists keep their order and
dicts their keys' order, so that equal requests are equal bytes and prompt caches hit.

Stream translators are fed events and return events: `feed(events)`, then `end()` once the
upstream has ended honestly. They never translate a failure: whoever reads the stream
raises it, and the edge writes it. `DONE` is the edge's to write as well.

What cannot be said on the other wire raises `InvalidRequest` with the field in `param`.
"""
