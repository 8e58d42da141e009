"""Continue a cut stream with another account's answer to the same request."""
