"""
The accounts we own: what they are, how they do, which one is next.

Plain values in and out; the choice itself is one script (app/stores/lua/selection.lua).
"""
