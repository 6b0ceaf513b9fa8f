"""The embedded server: the automation runs API over one SQLite file (floor 2).

Imported only by what serves or mounts it; nothing here may be imported in the process that runs tests.
"""
