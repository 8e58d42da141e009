"""
The only place that calls upstreams, and the only one that knows `requests`.

It sends ready bytes and hands back bytes; what they mean is for `streaming` to say. Failures
leave here as `app.errors`, by the table in `errors.py`.
"""
