"""The embedded server: the same REST API over SQLite or PostgreSQL, with web pages.

Runs in the process of `automation-report serve`; a sender without a server uses the store alone, through `embedded`.
Never in a process that runs tests. Imports `api`, `text` and `errors`. `store` holds the database, `http` the API over
it, `embedded` a client without HTTP, `pages` the web pages.
"""
