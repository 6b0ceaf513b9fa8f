"""Reporting changes no verdict of pytest, whatever other plugins, conftests and tests do."""
