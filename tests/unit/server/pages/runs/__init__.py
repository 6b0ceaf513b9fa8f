"""Unit tests of the lists of pages."""
