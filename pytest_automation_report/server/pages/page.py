"""One page of the site: a class that answers a URL from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_automation_report.server.store.store import Store

__all__ = ["Page"]


class Page:
    """A page that reads one store; each page of the site is a subclass with ``on_get``."""

    def __init__(self, store: Store) -> None:
        self.store = store
