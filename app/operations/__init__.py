"""
Every change that operators can make, recorded in the audit log, and the checks of an installation.

Independent of Flask: the admin API, the pages and the command line all call these.
"""
