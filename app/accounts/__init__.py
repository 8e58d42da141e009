"""
The upstream accounts of the gateway: their records, kinds, health, credentials and usage windows.

Functions take and return plain values. Selection is a script (app/stores/lua/selection.lua).
"""
