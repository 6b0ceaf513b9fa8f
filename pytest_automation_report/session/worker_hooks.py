"""Hooks of an xdist worker: one that writes to the spool, and one that cannot because it runs on another host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec import convert, to_builtins
from msgspec.structs import replace

from pytest_automation_report.annotations.functions import HOOKS, activate, deactivate
from pytest_automation_report.annotations.markers import marker_names
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.guards import Hooks, InternalErrors, guarded
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.session.annotation_hooks import has_describe_hooks
from pytest_automation_report.session.runtest_hooks import Clock, RuntestHooks
from pytest_automation_report.settings.token import secrets_from, token_from
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.writer import WriteLosses

if TYPE_CHECKING:
    from collections.abc import Mapping

LOSSES: Final = "automation_report_losses"
"""Key of xdist's worker output under which a worker sends its write losses to the controller."""

UNREPORTED: Final = "automation_report_unreported"
"""Key of xdist's worker output with which a worker shows that its tests have annotations that are not reported."""


class WorkerHooks(RuntestHooks):
    """Hooks of an xdist worker that writes to the spool."""

    # trylast: other plugins' hooks at the session's end may still add suite properties.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Close the worker's file, and send the controller the number of records that the disk refused."""
        self.close()
        self.shut()
        if self.losses != WriteLosses():
            getattr(session.config, "workeroutput", {})[LOSSES] = to_builtins(self.losses)


class RemoteWorkerHooks(Hooks):
    """Hooks of an xdist worker that cannot write to the spool; the target of its annotation functions.

    The controller records its results from the reports that xdist sends. Annotations are not on those reports, so the
    worker only notes whether its tests have any, and the controller's summary shows it once.
    """

    def __init__(self, options: RecordingOptions, internal_errors: InternalErrors) -> None:
        self.internal_errors = internal_errors
        self._marker_names = marker_names(options)
        self._has_annotations = False

    def watch(self, config: pytest.Config) -> None:
        """Note calls of the annotation functions."""
        config.pluginmanager.register(self, HOOKS)
        activate(self)

    def attempt_here(self) -> None:
        """Return None, so that each call of an annotation function arrives at `drop`."""

    def drop(self) -> None:
        """Note that a test called an annotation function."""
        self._has_annotations = True

    @guarded
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note whether any test uses the fixture or a marker, or a hook describes tests."""
        if has_describe_hooks(session.config) or any(map(self._is_annotated, session.items)):
            self._has_annotations = True

    @guarded
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the controller whether annotations are missing."""
        deactivate(self)
        if self._has_annotations:
            getattr(session.config, "workeroutput", {})[UNREPORTED] = True

    def _is_annotated(self, item: pytest.Item) -> bool:
        has_fixture = "automation_report" in getattr(item, "fixturenames", ())
        return has_fixture or any(mark.name in self._marker_names for mark in item.iter_markers())


def worker_hooks(workerinput: Mapping[str, Any], errors: InternalErrors) -> WorkerHooks | RemoteWorkerHooks:
    """Return the hooks of a worker by the input that its controller sent.

    `RemoteWorkerHooks` if the spool is on another host, or the worker cannot write to it.
    """
    shared: Mapping[str, Any] = workerinput["automation_report"]
    worker: str = workerinput["workerid"]
    folder = SessionFolder(Path(shared["folder"]))
    try:
        writer = folder.writer(worker) if folder.has_manifest else None
    except (OSError, SpoolError):
        writer = None
    options = worker_options(shared, os.environ)
    if writer is None:
        return RemoteWorkerHooks(options, errors)
    return WorkerHooks(writer, options, Clock(shared["epoch"]), worker, errors)


def worker_options(shared: Mapping[str, Any], environ: Mapping[str, str]) -> RecordingOptions:
    """Return the recording options that the controller sent, with the secrets of this worker's environment.

    The options are sent without secrets, since their JSON also stands in the session's manifest on disk.
    """
    options = convert(shared["rules"], RecordingOptions)
    token = token_from(environ, shared["token_file"]).token
    return replace(options, secrets=secrets_from(environ, token, is_builtin=options.redact_builtin))
