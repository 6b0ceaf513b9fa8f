"""Locks by key, for work that several threads of a process must not do at the same time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KeyedLocks"]


class KeyedLocks:
    """A lock for each key in use; a key that no thread holds or waits for takes no memory."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        # Each lock with the number of threads that hold it or wait for it.
        self._locks: dict[int, tuple[threading.Lock, int]] = {}

    @contextmanager
    def hold(self, key: int) -> Iterator[None]:
        """Hold the lock of a key; waits while another thread holds it."""
        with self._guard:
            lock, users = self._locks.get(key) or (threading.Lock(), 0)
            self._locks[key] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks.pop(key)
                if users > 1:
                    self._locks[key] = lock, users - 1

    def __len__(self) -> int:
        return len(self._locks)
