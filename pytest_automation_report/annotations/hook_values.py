"""The values that users' hooks return and receive."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pytest_automation_report.values import Value, field

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Artifact, Field, Link


class ArtifactFile(Value):
    """A file to add to a result or a run, with the same ways to an address as a file of the function `artifact`.

    ``content`` is a path, bytes, or a function that returns either. Without ``name`` the file's own name is used.
    """

    content: LazyContent
    name: str | None = None
    mime_type: str | None = None


class Additions(Value, kw_only=True):
    """Additions to one result.

    ``key`` and ``folder`` replace those that the result has by itself, unless they are None. A key with other
    characters than a-z and 0-9, or with more than 64, is sent as its SHA-256. A test whose process dies is reported
    without additions.
    """

    key: str | None = None
    folder: str | None = None
    fields: Sequence[Field] = ()
    artifacts: Sequence[Artifact | ArtifactFile] = ()


class RunAdditions(Value, kw_only=True):
    """Additions to the run that a session creates; ``name`` replaces the run's own name, unless it is None.

    Files are copied at the session's start and stored before the run is completed.
    """

    name: str | None = None
    tags: Sequence[str] = ()
    fields: Sequence[Field] = ()
    links: Sequence[Link] = ()
    artifacts: Sequence[Artifact | ArtifactFile] = ()


class Summary(Value, kw_only=True):
    """The numbers of a session after the delivery.

    ``run`` is the run's id, None if no run was created. ``url`` is its web page, for the embedded store the address at
    which ``automation-report serve`` shows it, empty without a run. ``counts`` are the results by status.
    ``delivered``, ``kept``, ``rejected`` and ``held`` are numbers of results, ``not_run`` is the number of collected
    tests without a result. ``is_whole`` is whether the server has confirmed every result.
    """

    run: int | None
    url: str
    counts: Mapping[str, int] = field(default_factory=dict)
    delivered: int = 0
    kept: int = 0
    rejected: int = 0
    held: int = 0
    not_run: int = 0
    is_whole: bool = False


Content: TypeAlias = "str | os.PathLike[str] | bytes"
"""An artifact: a web address, the path of a file, or the bytes themselves."""


LazyContent: TypeAlias = "Content | Callable[[], Content]"
"""The same, or a function that returns it, which is called in reported sessions only."""
