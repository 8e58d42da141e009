"""Typed records that repositories take and return: frozen values, one module per noun."""
