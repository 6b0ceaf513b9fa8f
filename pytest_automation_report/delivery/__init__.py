"""Deliver a spooled session: choose the next request, handle its response, retry, reconcile.

Runs in the sender process, which `launch` starts from pytest, and in `automation-report send`. Imports `spool`,
`recording`, `api`, `text` and `errors`, and the embedded server where a session is delivered to it.
"""
