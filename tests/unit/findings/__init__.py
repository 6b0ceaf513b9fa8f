"""Tests of ``pytest_automation_report.findings``."""
