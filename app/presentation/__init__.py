"""What operators see of records, as text and as JSON: one module per noun, for API, pages and commands."""
