"""What tests and hooks add to a result: fields, links, artifacts and steps.

Runs in each process that runs tests. Imports `recording`, `spool`, `api`, `text` and `errors`.
"""
