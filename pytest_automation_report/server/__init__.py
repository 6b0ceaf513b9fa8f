"""The embedded server: the same REST API over SQLite or PostgreSQL, with web pages.

Runs in the process of `automation-report serve`; a sender without a server uses the store through `api.embedded`. Never
in a process that runs tests. `store` holds the database, `api` what its clients ask of it, `http` serves that, `pages`
the web pages.
"""
