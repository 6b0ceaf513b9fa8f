"""Start the sender while pytest configures itself, and hand the session over to it when that begins.

The sender needs 0.1 s for its imports, on another core: a short session does not wait for what pytest does meanwhile.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_automation_report.api.artifacts import is_bucket

if TYPE_CHECKING:
    import pytest

    from pytest_automation_report.api.models import ArtifactStoreConfig
    from pytest_automation_report.delivery.handover import SenderConfig
    from pytest_automation_report.delivery.launch import SenderProcess
    from pytest_automation_report.settings.configuration import Configuration


def captured_files(config: pytest.Config) -> list[tuple[str, int, int, int]]:
    """Return the name of each captured stream, the descriptor of its file, and that file's device and inode.

    The sender reads the last output of a killed process by them. Empty without capturing, with capturing in memory
    (``--capture=sys``), and if a later pytest captures differently: the attributes are private to pytest 8.4 to 9.2.
    """
    capturing = getattr(config.pluginmanager.getplugin("capturemanager"), "_global_capturing", None)
    files: list[tuple[str, int, int, int]] = []
    for stream in ("out", "err"):
        try:
            descriptor = getattr(capturing, stream).tmpfile.fileno()
            status = os.fstat(descriptor)
        except (AttributeError, OSError, ValueError):  # A capture in memory has no descriptor.
            continue
        files.append((f"std{stream}", descriptor, status.st_dev, status.st_ino))
    return files


class SenderStart:
    """The sender of a session that is about to begin, under its name; owned by `SessionHooks`.

    ``captured`` are the capture files that the sender inherits, for a test that kills this process in the session's
    first second, before the sender is ready. A session whose results are sent later has no sender.
    """

    def __init__(
        self,
        name: str,
        config: pytest.Config,
        configuration: Configuration,
        store: ArtifactStoreConfig | None,
        *,
        is_sending: bool,
    ) -> None:
        self.captured = tuple(captured_files(config))
        self._process: SenderProcess | None = None
        if is_sending:
            from pytest_automation_report.delivery.launch import SenderProcess  # noqa: PLC0415 - not for results that are sent later

            self._process = SenderProcess(
                name,
                is_embedded=configuration.endpoint.is_embedded,
                has_bucket=store is not None and is_bucket(store.address),
                has_report=bool(configuration.html),
                inherited=[descriptor for _, descriptor, _, _ in self.captured],
            )

    def hand_over(self, config: SenderConfig) -> None:
        """Let the sender deliver the session; raises `LaunchError` if it could not be started."""
        if self._process is not None:
            self._process.hand_over(config)

    def close(self) -> None:
        """End a sender that got no session, since pytest stopped before."""
        if self._process is not None:
            self._process.close()
