"""The page of a run, with its views.

Runs in `serve` alone. Imports the modules of `server.pages` above it, `server.http` and `server.store`.
"""
