"""The REST API as functions of a store: bodies of requests, what they change, JSON of responses.

Runs in `serve` and in the sender: `server.http` serves them, and `embedded` is a client that calls them without HTTP.
"""
