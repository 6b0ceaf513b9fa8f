"""Show a session's end: counts, lines in the terminal, the CI provider's page and annotations.

Runs in pytest. Imports `settings`, `recording`, `spool`, `ci`, `api`, `findings` (its sentences), `text` and
`unpatched`.
"""
