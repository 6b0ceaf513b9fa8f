"""Tests of ``pytest_automation_report.server.pages.test``."""
