"""The page of a test, in a run and across runs.

Runs in the processes of `server.pages`. Imports the modules in `server.pages` itself, `server.http` and `server.store`.
"""
