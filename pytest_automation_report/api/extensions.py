"""Name the properties that a server of ours stores beside the contract: its extensions.

Such a server lists them in a header of every response. A client sends an extension only to a server that listed it, so
no other server ever gets one. Unknown names in the header are ignored, and a name never changes its meaning: an
extension whose form changes gets a new name.
"""

from __future__ import annotations

from typing import Final

EXTENSIONS_HEADER: Final = "Automation-Report-Extensions"
"""Header of all responses of a server that stores extensions; its value is their names, separated by commas."""

STARTED: Final = "started"
"""``started`` of a test, in microseconds since the ``session_started`` of its thread, which is in those since 1970.

A thread gets its ``session_started`` with its creation or with any append.
"""

PHASES: Final = "phases"
"""``phases`` of a test: the microseconds of setup, call and teardown."""

STEPS: Final = "steps"
"""``steps`` of a test: a tree of names, statuses and microseconds, with the files that were attached in each."""

RUNNING: Final = "running"
"""``running`` of an append to a thread: the tests that run now."""

COMPARISON: Final = "comparison"
"""``comparison`` of a test: operator and both sides of the comparison that failed."""

COLOURS: Final = "colours"
"""``colours`` of a test: the coloured parts of its fields, by the names of the fields."""

ATTEMPTS: Final = "attempts"
"""``attempts`` of a test: output, steps, phases, comparison and colours of the attempts before the last one."""

JOB: Final = "job"
"""``job`` of a thread, with its creation or with any append: name and attempt of the job whose results it has.

A job may have several threads, also at the same time. Of results with one key in one job those of the highest attempt
replace the others; all that remain, of one job or of several, stand side by side.
"""

COLLECTION: Final = "collection"
"""``collection`` of an append to a thread: how many tests its session collected, and how many of them it was to run."""

EXTENSIONS: Final = (STARTED, PHASES, STEPS, RUNNING, COMPARISON, COLOURS, ATTEMPTS, JOB, COLLECTION)
"""All extensions of this release."""


def phases_member(elapsed: int, setup: int | None, teardown: int | None) -> str:
    """Return the phases of a test as a member of its JSON, empty if setup or teardown is None or negative.

    All are in microseconds; the call is the rest.
    """
    if setup is None or teardown is None or setup < 0 or teardown < 0:
        return ""
    return f'"{PHASES}":[{setup},{max(0, elapsed - setup - teardown)},{teardown}]'


def announced(header: str) -> frozenset[str]:
    """Return those of our extensions that a header lists."""
    names = {name.strip() for name in header.split(",")}
    return frozenset(name for name in EXTENSIONS if name in names)
