"""What users' hooks give and are given: values that this package's hooks return and receive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Artifact, Field, Link


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file to add to a result or a run: path, bytes or a function that makes either; it goes as `artifact` has it."""

    content: Made
    name: str | None = None
    mime_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """What to add to one result.

    ``key`` and ``folder`` take the place of those that the result has by itself. A key of anything but 1 to 64 of the
    characters a-z and 0-9 is sent as its SHA-256. A test whose process dies before its end is reported without them.
    """

    key: str | None = None
    folder: str | None = None
    fields: Sequence[Field] = ()
    artifacts: Sequence[Artifact | ArtifactFile] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAdditions:
    """What to add to the run that a session creates; ``name`` takes the place of the run's own name.

    Files are copied at the session's start, and are there when the run is completed.
    """

    name: str | None = None
    tags: Sequence[str] = ()
    fields: Sequence[Field] = ()
    links: Sequence[Link] = ()
    artifacts: Sequence[Artifact | ArtifactFile] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What became of a session's results.

    ``run`` is the run's id, None when none was made; ``url`` its web page, of the embedded store the address at which
    ``automation-report serve`` shows it, empty without a run. ``counts`` are the results by status; ``delivered``,
    ``kept``, ``rejected`` and ``held`` are numbers of results; ``not_run`` the tests that were collected and have no
    result. ``is_whole`` tells whether every result is confirmed.
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
"""What an artifact is: a web address, the path of a file, or the bytes themselves."""


Made: TypeAlias = "Content | Callable[[], Content]"
"""The same, or a function that makes it, which is called where it is reported only."""
