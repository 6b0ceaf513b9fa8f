"""Tests are cut among jobs, and put in order."""
