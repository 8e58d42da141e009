"""What the API reference adds to the schemas of requests: descriptions, nested types, other fields."""
