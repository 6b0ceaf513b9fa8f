"""Tests that failed are run again."""
