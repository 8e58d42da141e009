"""Export and restore of everything a gateway stores, as one encrypted file."""
