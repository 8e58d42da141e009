"""
Declarative set-ups: a document describes a pool, and a plan has the changes that make the pool match it.

Sections of a document are planned one by one, and applied in this order: `settings`, `limits`, `prices`,
`accounts`, `models`, `teams`, `keys`, `webhooks`. What a document leaves out stays as it is. Everything is
checked before the first change.
"""
