"""The lists of the pages: projects, suites and runs.

Runs in the processes of `server.pages`. Imports the modules in `server.pages` itself, a few of `server.pages.run`,
`server.http` and `server.store`.
"""
