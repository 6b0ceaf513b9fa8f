"""Report pytest sessions to the Testmo automation runs API, or to an embedded server of the same API.

Imported at every start of pytest that has this plugin installed: it must import nothing itself.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
