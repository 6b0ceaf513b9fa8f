"""Files that sessions and tests add."""
