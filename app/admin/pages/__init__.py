"""The dashboard: server-rendered pages, one module each. Only live updates need scripts."""
