"""
The only place that calls upstreams, and the only one that knows `requests`.

It sends ready bytes and returns bytes; `streaming` interprets them. Failures
leave here as `app.errors`, by the table in `errors.py`.
"""
