"""The page of a run, with its views.

Runs in the processes of `server.pages`. Imports the modules in `server.pages` itself, `server.http` and `server.store`.
"""
