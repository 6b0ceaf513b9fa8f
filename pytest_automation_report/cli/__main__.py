"""``python -m pytest_automation_report.cli``: the console command where its script is not on the path."""

from __future__ import annotations

from pytest_automation_report.cli.main import main

main(prog_name="automation-report")
