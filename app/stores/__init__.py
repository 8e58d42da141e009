"""
The only package that uses Redis.

`client.py` connects and maps errors, `keys.py` names the keys, `scripts.py` runs the Lua scripts in `lua/`
(one file per operation; its header is the contract), and one repository per noun takes and returns the
records in `records/`. Redis TIME is the only clock of scripts. Leases and claims expire or are swept. While
Redis is away every call fails quickly with StoreUnavailable.
"""
