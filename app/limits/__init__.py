"""
Who may use how much: API keys, limits, reservations and the books.

Plain values in and out; checking and charging is one script (app/stores/lua/windows.lua).
"""
