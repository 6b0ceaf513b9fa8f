from __future__ import annotations

from unit.server.conftest import cluster, contract, kills, new_place, place, service
from unit.server.pages.conftest import site

__all__ = ["cluster", "contract", "kills", "new_place", "place", "service", "site"]
