"""
Every change that operators make, recorded in the audit log, and the checks of an installation.

Free of Flask: the admin API, the pages and the command line call it.
"""
