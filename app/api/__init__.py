"""
Flask stays here: a blueprint per endpoint validates, calls the relay and shapes the response.
"""
