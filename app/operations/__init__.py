"""
What operators do: every change they make goes through here, and into the audit log.

No Flask: the admin API, the pages and the command line are its callers.
"""
