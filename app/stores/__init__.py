"""
The only place that speaks to Redis.

One `.lua` file per operation, loaded by `scripts.py` alone; its header is the contract.
Redis TIME is the one clock. Whatever is taken expires or is swept. What happens when Redis
is away is decided once, in `client.py`: the call fails with StoreUnavailable, quickly.
"""
