"""The embedded store behind the client's interface, without HTTP.

Runs in the sender and in console commands. Imports the store, and of `server.http` what stands behind its URLs.
"""
