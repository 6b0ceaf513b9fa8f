"""Suites of hard cases: the server must have what pytest said, with each way to run them."""
