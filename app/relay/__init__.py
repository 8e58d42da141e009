"""
The flow of every request: admit, send, stream, report, settle.

It takes plain values, never Flask's request: its generators outlive the view that started them.
"""
