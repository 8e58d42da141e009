"""
marshmallow schemas of the bodies and queries that clients and operators send.

This package is pure and imports no other package of the project. A schema takes parsed JSON
and returns a new dict, or raises marshmallow's ValidationError, which
`schemas.validation_errors.first_error` turns into one field name and one sentence. Arguments are never
changed; unchecked parts of the result are the caller's own objects. No check recurses into
a value, so any nesting depth is safe. No message repeats a value: it may be secret.
"""
