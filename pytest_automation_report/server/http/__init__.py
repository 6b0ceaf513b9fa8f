"""The REST API over the store: routes, checks of requests, JSON of responses, the HTTP server.

Runs in `serve`; the embedded client uses its bodies and lists. Imports `server.store`, and no pages.
"""
