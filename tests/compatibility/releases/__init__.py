"""A client and a server of two releases."""
