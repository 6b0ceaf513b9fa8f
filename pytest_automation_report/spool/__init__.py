"""The queue on disk between pytest and the sender: records, manifest, ledger, copies of artifacts.

Pytest writes it; the sender and the console command read it. Imports `api`, `text`, `unpatched`, `errors` and types of
`findings`.
"""
