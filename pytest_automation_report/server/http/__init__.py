"""The REST API over the store: routes, checks of requests, JSON of responses, the HTTP server.

Runs in the sender, where it is mounted on requests without a socket, and in `serve`. Imports `server.store`, and no
pages.
"""
