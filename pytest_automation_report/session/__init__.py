"""Pytest's hooks: start a session, record its tests, wait for the sender, show the summary.

Runs in pytest, in the leading process and in each xdist worker. Imports every folder but `cli` and `server`.
"""
