"""The HTTP server over the REST API: connections, checks of requests, responses.

Runs in `serve`. Imports `server.api` and `server.store`, and no pages.
"""
