"""Tests of ``pytest_automation_report.settings``."""
