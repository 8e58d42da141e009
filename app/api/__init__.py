"""The public endpoints, each a Flask blueprint: it validates, calls the relay and shapes the response."""
