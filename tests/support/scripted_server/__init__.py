"""A server of the API for tests, which misbehaves by script and shares no code with the package."""
