"""Continue a cut stream with another account's response to the same request."""
