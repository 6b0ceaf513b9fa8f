"""The web pages of the embedded server, rendered on the server.

Runs in `serve` alone: the store that a sender mounts has no pages and does not load jinja2. Imports `server.http` and
`server.store`.
"""
