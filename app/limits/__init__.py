"""
Limits: their text, the bounds and estimates of a request, prices.

Pure functions on plain values; one script checks and charges limits (app/stores/lua/windows.lua).
"""
