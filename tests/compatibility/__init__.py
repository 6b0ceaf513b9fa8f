"""Tests beside software that is not ours: other plugins, other tools, other people's suites."""
