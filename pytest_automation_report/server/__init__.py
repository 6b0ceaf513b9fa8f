"""The embedded server: the same REST API over SQLite or PostgreSQL, with web pages.

Runs in the process of `automation-report serve`, or inside the sender without a socket; never in a process that runs
tests. Imports `api`, `text` and `errors`. `store` holds the database, `http` the API over it, `pages` the web pages.
"""
