"""The database of the embedded server: tables, reads and writes, stored files.

Runs in the sender, `serve` and the `store` commands.
"""
