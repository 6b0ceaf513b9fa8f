"""The report of a run in one file."""
