"""Tests of the embedded client."""
