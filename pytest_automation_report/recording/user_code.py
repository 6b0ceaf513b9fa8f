"""Call users' hooks, and take the files that they and tests name; an `Exception` is reported, and not raised.

A file gets its address from a user's hook that publishes it, else from the template ``artifact_url`` of files that the
CI uploads, else from the sender, which uploads the spool's copy. Without an address it becomes a field that names it.
The sender gets a copy, since the original may change or be deleted.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from msgspec import Struct

from pytest_automation_report.api.models import Artifact, Field, file_address, is_web_address
from pytest_automation_report.guards import goes_on, safe_str
from pytest_automation_report.recording.collector import (
    DESCRIBE_RUN,
    DESCRIBE_TEST,
    FINISHED,
    PUBLISH_ARTIFACT,
    AnnotationCollector,
)
from pytest_automation_report.recording.options import NO_NAME, artifact_from, is_address, last_segment, property_field
from pytest_automation_report.spool.folder import FOLDER
from pytest_automation_report.spool.records import spooled_address
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import Disk
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pytest

    from pytest_automation_report.guards import Errors

__tracebackhide__ = True  # pytest shows the line of the test alone

_OF_RUN: Final = {DESCRIBE_RUN, FINISHED}

_Returned = TypeVar("_Returned")

_CONSEQUENCES: Final[Mapping[str, str]] = {
    DESCRIBE_RUN: "the run has none of its additions",
    DESCRIBE_TEST: "results have none of its additions",
    PUBLISH_ARTIFACT: "files have no address",
    FINISHED: "the report is not affected",
}


def call_hook(
    errors: Errors, name: str, hook: Callable[..., _Returned], *values: object, **arguments: object
) -> _Returned | None:
    """Call a hook, or what validates its value, and return the result, None if it raised; some errors go on."""
    try:
        return hook(*values, **arguments)
    # A value of the right class may still hold others of wrong ones, such as `Field(meta=None)`.
    except BaseException as error:
        if goes_on(error) and not (name in _OF_RUN and _is_outcome(error)):
            raise
        add_hook_error(errors, name, error, "" if values else _file_of_hook(name, error))
        return None


def add_hook_error(errors: Errors, name: str, error: BaseException, file: str = "") -> None:
    """Add the error of a hook, with its consequence for the report."""
    place = f" in {file}" if file else ""
    errors.add(f"{name}{place}: {type(error).__name__}: {safe_str(error)}; {_CONSEQUENCES[name]}")


def _is_outcome(error: BaseException) -> bool:
    """Whether an error fails or skips a test: where none runs there is nothing that it could do."""
    import pytest  # noqa: PLC0415 - code that annotates must not load pytest where no test runs

    return isinstance(error, (pytest.fail.Exception, pytest.skip.Exception))


def _file_of_hook(name: str, error: BaseException) -> str:
    """Return the file of the hook that raised, or of the innermost frame if no frame is the hook's."""
    file, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        file = code.co_filename
        if code.co_name == name:
            return file
        trace = trace.tb_next
    return file


ArtifactContent: TypeAlias = "str | os.PathLike[str] | bytes"
LazyContent: TypeAlias = "ArtifactContent | Callable[[], ArtifactContent]"
"""The web address, path or bytes of an artifact, or a function that returns one, called in reported sessions only."""

_ARTIFACT_NAME: Final = "Artifact"


def check_content(content: object) -> None:
    """Raise TypeError for a content that can never be an artifact, before any function is called or file read."""
    if not (isinstance(content, (str, bytes, os.PathLike)) or callable(content)):
        raise TypeError(f"an artifact is an address, a path, bytes or a function, not {content.__class__.__name__}")


def attachment(
    collector: AnnotationCollector,
    item: pytest.Item | pytest.Session | None,
    content: LazyContent,
    name: str | None,
    mime_type: str | None,
    *,
    folder: Path | None = None,
) -> Artifact | Field | None:
    """Return the artifact or field for a file of a result or a run; None, with an error of the user, if that failed.

    ``folder`` is the folder that a relative path starts from, by default the current one.
    """
    try:
        file = _Attachment(collector, item, safe_str(name or _ARTIFACT_NAME), mime_type)
        value = content() if callable(content) else content
        if isinstance(value, bytes):
            return file.of_bytes(value)
        if isinstance(value, str) and is_web_address(value):
            file.name = safe_str(name or last_segment(value) or _ARTIFACT_NAME)
            return file.of_address(value)
        path = ((folder or Path()) / value).absolute()
        file.name = safe_str(name or path.name or _ARTIFACT_NAME)
        return file.of_file(path)
    except BaseException as error:  # of a user's function, or a patched file system
        is_of_run = item is not None and item.nodeid == ""
        if goes_on(error) and not (is_of_run and _is_outcome(error)):
            raise
        reason = f"{type(error).__name__}: {safe_str(error)}"
        nodeid = getattr(item, "nodeid", "") or "this session"
        shown = f"artifact {safe_str(name)}" if name else f"an artifact of {nodeid}"
        collector.user_errors.add(f"{shown} was not added: {reason}")
        return None


class _Attachment(Struct):
    """One address, file or bytes of one attempt, or of a session."""

    collector: AnnotationCollector
    item: pytest.Item | pytest.Session | None
    name: str
    mime_type: str | None

    def of_address(self, address: str, size: int | None = None) -> Artifact | Field:
        """Return the artifact of an address, or a field if the server would refuse the address, such as a long one."""
        artifact = artifact_from(self.name, address, self.mime_type, size, self.collector.cleaner)
        return self._field(address) if artifact is None else artifact

    def of_file(self, path: Path) -> Artifact | Field:
        """Return the artifact of a file, or the field that names it."""
        shown = str(path)
        if not path.is_file():
            self.collector.add_missing_file("whose file is missing", shown)
            return self._field(f"{shown} (no such file)")
        size = path.stat().st_size
        address = self._published(path) or self._templated(path)
        return self._spooled(path, shown) if address is None else self.of_address(address, size)

    def of_bytes(self, data: bytes) -> Artifact | Field:
        """Return the artifact of bytes; the hook gets them as a temporary file."""
        address = None
        if self._has_hook():
            import tempfile  # noqa: PLC0415 - only for bytes with a hook

            with tempfile.TemporaryDirectory(prefix="automation-report-") as folder:
                path = Path(folder) / (Path(self.name).name or _ARTIFACT_NAME)
                path.write_bytes(data)
                address = self._published(path)
        if address is None:
            return self._spooled(data, f"{len(data):,} bytes")
        return self.of_address(address, len(data))

    def _spooled(self, content: Path | bytes, shown: str) -> Artifact | Field:
        cleaner = self.collector.cleaner
        try:
            name, size = copy_function(self.collector)(content)
        except ValueError as error:
            self.collector.add_missing_file(f"that are not kept ({error})", shown)
            return self._field(f"{shown} (not kept: {error})")
        mime_type = cleaner.string(self.mime_type) if self.mime_type else None
        address = spooled_address(name, cleaner.string(shown))
        return Artifact(cleaner.string(self.name) or NO_NAME, address, None, mime_type, size)

    def _templated(self, path: Path) -> str | None:
        """Return the address by the template; None without one, and for files outside of the root folder."""
        template = self.collector.options.artifact_url
        if not template or self.item is None:
            return None
        # The template has the path from the root folder, so a file outside of it has no address.
        relative = system.relative(path, self.item.config.rootpath)
        if relative.startswith(os.pardir):
            return None
        address = file_address(template, Path(relative).as_posix(), self.name)
        return address if is_address(address) else None

    def _has_hook(self) -> bool:
        return self.item is not None and bool(getattr(self.item.config.hook, PUBLISH_ARTIFACT).get_hookimpls())

    def _published(self, path: Path) -> str | None:
        """Return the address that a user's hook returns for a file, None without one."""
        if self.item is None or not self._has_hook():
            return None
        # The hook relative to the item: conftests of the item's folders are called, others are not.
        errors, hook = self.collector.user_errors, getattr(self.item.ihook, PUBLISH_ARTIFACT)
        address: object = call_hook(errors, PUBLISH_ARTIFACT, hook, path=path)
        if address is None or (isinstance(address, str) and is_address(address)):
            return address
        add_hook_error(errors, PUBLISH_ARTIFACT, ValueError(f"{safe_str(address)!r} is not a web address"))
        return None

    def _field(self, text: str) -> Field:
        return property_field(self.name, text, self.collector.cleaner)


_PIECE_BYTES: Final = 1 << 20
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.OWN_FILE
_NOT_IN_NAMES: Final = lazy_pattern(r"[^A-Za-z0-9_-]")


def copy_function(collector: AnnotationCollector) -> Callable[[Path | bytes], tuple[str, int]]:
    """Return `ArtifactSpool.add` of this process; first called before a test, which may patch functions of `os`."""
    if collector.copy is None:
        most, together = collector.options.artifact_size, collector.options.artifact_total
        spool = ArtifactSpool(collector.folder, collector.worker, most_bytes=most, most_together=together)
        collector.copy = spool.add
    return collector.copy


class ArtifactSpool:
    """Copies the files of one process that runs tests into the spool; creates the folder with the first file.

    ``most_bytes`` is the limit for one file, ``most_together`` that for all files that wait to be sent, in bytes. A
    file is read with the functions as they are: under a patched ``open`` a test adds what it would read itself.
    """

    def __init__(self, session: str, worker: str, *, most_bytes: int, most_together: int) -> None:
        self._disk = Disk()
        self._session = session
        self._path = f"{session}{os.sep}{FOLDER}"
        self._worker = worker
        self._pid = os.getpid()
        self._number = 0
        # Bytes of this process's files; the other workers' are added when the folder is measured, in `_check`.
        self._used = 0
        self.most_bytes = most_bytes
        self.most_together = most_together

    def add(self, content: Path | bytes) -> tuple[str, int]:
        """Copy a file, or bytes; return its name and size in bytes. Raises `ValueError` if it is too large."""
        # A forked child counts on with the same numbers: its files would have the names of its parent's.
        if self._disk.getpid() != self._pid:
            raise ValueError("a forked process cannot keep files")
        if isinstance(content, bytes):
            return self._put(iter((content,)))
        with content.open("rb") as file:
            return self._put(iter(lambda: file.read(_PIECE_BYTES), b""))

    def _put(self, pieces: Iterator[bytes]) -> tuple[str, int]:
        self._number += 1
        name = f"{_NOT_IN_NAMES.sub('_', self._worker)[:60]}-{self._number}"
        path, size = f"{self._path}{os.sep}{name}", 0
        descriptor = self._new(path)
        try:
            for piece in pieces:
                size += len(piece)
                self._check(name, size)
                unwritten = memoryview(piece)
                while unwritten:
                    unwritten = unwritten[self._disk.write(descriptor, unwritten) :]
        except BaseException:
            self._disk.close(descriptor)
            self._disk.unlink(path)
            raise
        self._disk.close(descriptor)
        self._used += size
        return name, size

    def _new(self, path: str) -> int:
        try:
            return self._disk.open(path, _WRITE, 0o600)
        except FileNotFoundError:
            try:
                self._disk.lstat(self._session)
            except FileNotFoundError:  # a test has deleted it
                self._disk.makedirs(self._session, 0o700, exist_ok=True)
            with suppress(FileExistsError):  # another worker has created it since
                # Not by `makedirs`, which calls functions that a test may have replaced.
                self._disk.mkdir(self._path, 0o700)
            return self._disk.open(path, _WRITE, 0o600)

    def _check(self, name: str, size: int) -> None:
        """Raise `ValueError` if a file that is being written, with this size so far, exceeds a limit."""
        if size > self.most_bytes:
            raise ValueError(f"larger than {self.most_bytes:,} bytes (artifact_size)")
        if self._used + size > self.most_together:
            # Measured only at the limit, not for each file: the sender has removed the files that it stored.
            self._used = 0
            with self._disk.scandir(self._path) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):  # the sender removes it meanwhile
                        self._used += 0 if entry.name == name else entry.stat(follow_symlinks=False).st_size
        if self._used + size > self.most_together:
            raise ValueError(f"more than {self.most_together:,} bytes would wait to be sent (artifact_total)")
