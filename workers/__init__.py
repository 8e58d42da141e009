"""
Background jobs, one module each, run by `python -m workers`.

A job is a function of services and the time, `run(services, now)`, and running it twice
does no more than once. Nothing that a request needs depends on this process being up.
"""
