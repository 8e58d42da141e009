"""What the API reference adds to the request schemas: descriptions, nested types, and other fields."""
