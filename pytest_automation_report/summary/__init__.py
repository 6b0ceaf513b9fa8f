"""Show a session's end: counts, lines in the terminal, the CI provider's page and annotations. Runs in pytest."""
