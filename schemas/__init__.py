"""
What we accept from callers and administrators.

The law of this package: pure, and it imports nothing of ours. A schema takes what a JSON
parser made and returns a new dict, or raises marshmallow's ValidationError, of which
`schemas.faults.first_fault` makes one field name and one sentence. No argument is ever
changed; parts nobody looked at are the caller's own objects. Nothing here follows a value
to its depths, so no nesting is too deep. No message repeats what was sent: it may be secret.
"""
