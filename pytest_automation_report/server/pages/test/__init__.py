"""The page of a test, in a run and across runs.

Runs in `serve` alone. Imports the modules of `server.pages` above it, `server.http` and `server.store`.
"""
