"""
The one flow of every request: admit, send, yield, report, settle.

Below `api`, so plain values only: a generator here outlives the view that started it.
"""
