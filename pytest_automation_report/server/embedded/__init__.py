"""The embedded store behind the client's interface, without HTTP.

Runs in the sender and in console commands. Imports the store, and the folder of HTTP only for lists and for bodies that
the store's own code does not read.
"""
