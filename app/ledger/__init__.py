"""The ledger: settlements, roll-ups, usage, search and verification."""
