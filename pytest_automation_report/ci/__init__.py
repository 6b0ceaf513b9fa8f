"""Collect where a run is made: branch, commit, build and links, from settings, CI providers and git.

Runs in pytest and the console command.
"""
