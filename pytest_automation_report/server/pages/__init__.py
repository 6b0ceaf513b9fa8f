"""Pages to look at, beside the API of the embedded server (floor 2).

Only ``serve`` imports this package: the store that the sender mounts has no pages and needs no jinja2.
"""
