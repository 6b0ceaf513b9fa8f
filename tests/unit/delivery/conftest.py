from __future__ import annotations

from faults.conftest import project, server, token_is_nowhere, written

__all__ = ["project", "server", "token_is_nowhere", "written"]
