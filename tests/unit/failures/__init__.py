"""Tests of ``pytest_automation_report.failures``."""
