"""Tests of the embedded server's pages."""
