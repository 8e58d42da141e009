"""The dashboard: pages rendered here, one module each. They need no script but for what is live."""
