"""
The only place that calls upstreams, and the only one that knows `requests`.

It sends bodies and returns responses as bytes; `streaming` interprets them. Failures are raised as exceptions
of `app.errors`, by the table in `errors.py`.
"""
