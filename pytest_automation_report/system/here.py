"""The system of this process: ``system`` is one of two modules with the same names."""

import sys

if sys.platform == "win32":
    from pytest_automation_report.system import windows as system
else:
    from pytest_automation_report.system import posix as system

__all__ = ["system"]
