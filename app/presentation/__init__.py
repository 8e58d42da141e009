"""Records as operators see them, as text and as JSON: one module per noun, for API, pages and commands."""
