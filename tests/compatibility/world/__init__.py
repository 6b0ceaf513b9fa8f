"""Suites that change the world they run in, with the plugin and without it."""
