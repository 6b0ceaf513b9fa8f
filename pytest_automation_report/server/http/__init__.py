"""The HTTP server over the REST API: connections, checks of requests, responses. Runs in `serve`."""
