"""Every setting: the class of them, where values come from, how they are parsed, where the token may be sent.

Runs in pytest and the console command. Imports `delivery` (its timeouts), `recording` (its options), `findings`, `ci`,
`api`, `text`, `errors` and `unpatched`.
"""
