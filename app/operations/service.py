"""
The desk: every change that an operator can make, made by one actor and written into the audit book.

One object, its methods by noun in the modules beside. They take what a valid schema holds, and
plain names; a failure is one of app.errors, and then nothing has changed.
"""

from __future__ import annotations

from app.operations.keys import Keys
from app.operations.limits import Limits
from app.operations.pools import Pools
from app.operations.prices import Prices
from app.operations.sign_ins import SignIns


class AdminOperations(SignIns, Keys, Limits, Pools, Prices):
    """`services.desk(actor)` makes one; it is as cheap as it looks."""
