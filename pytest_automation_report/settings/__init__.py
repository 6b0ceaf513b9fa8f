"""Every setting: the table of them, where values come from, how they are parsed and checked.

Runs in pytest and the console command. Imports `recording` (its options alone), `ci`, `api`, `text` and `errors`.
"""
