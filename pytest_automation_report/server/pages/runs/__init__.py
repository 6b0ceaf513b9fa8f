"""The lists of the pages: projects, suites and runs.

Runs in `serve` alone. Imports the modules of `server.pages` above it, `server.http` and `server.store`.
"""
