"""
Declarative set-ups: a document describes a pool, and a plan has the changes that make it so.

Sections of a document are planned one by one, in the order in which they are applied: `settings`, `limits`,
`prices`, `accounts`, `models`, `teams`, `keys`. What a document leaves out stays as it is. Everything is
checked before the first change.
"""
