"""Collect the annotations of a result: fields, links, artifacts and steps of tests, markers and users' hooks.

`functions` and `markers` are the ways in, `collector` stores the annotations of the running attempt, `artifacts` finds
an address for each file, `hooks` calls the hooks and validates their values.

Runs in each process that runs tests. Imports `recording`, `spool`, `api`, `text` and `errors`.
"""
