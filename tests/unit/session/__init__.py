"""Tests of ``pytest_automation_report.session``."""
