"""Read result files of other tools, and compare a session with pytest's own JUnit XML.

Runs in the console command, and in pytest to compare.
"""
