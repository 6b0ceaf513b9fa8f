"""Check whether results can be delivered: spool, database, each step of the way to a server.

Runs in the console command (`doctor`), and for pytest's preflight in a separate process, since it loads requests.
Imports `delivery`, `server`, `spool`, `api`, `text` and `errors`.
"""
