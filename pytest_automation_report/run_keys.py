"""By what jobs find the one run that they share (floor 1, pure): the key, the tag that a list shows, the words.

A list of runs can be asked for a tag. So the tag of a run's key holds the key in readable form, and a hash of it with
the run's source: two suites of one build have runs of their own.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_automation_report.facts import Facts

PLACES: Final = ("build", "attempt", "branch", "tag", "commit", "pull_request", "provider")
"""What a key can be made of, beside its own words."""

_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_SHOWN: Final = 60


def filled_key(key: str, facts: Facts) -> tuple[str, tuple[str, ...]]:
    """Return a key with its places filled, and the places that nobody can fill.

    A key with a place that is not known is no key: jobs that have nothing to do with each other would share a run.
    """
    unknown = [name for name in _PLACE.findall(key) if getattr(facts, name) is None]
    if unknown:
        return "", tuple(dict.fromkeys(unknown))
    return _PLACE.sub(lambda match: str(getattr(facts, match[1])), key), ()


def key_tag(source: str, key: str) -> str:
    """Return the tag that a run has for its key."""
    shown = re.sub(r"[^A-Za-z0-9_]+", "-", key).strip("-")[:_SHOWN]
    return f"run-key-{shown}-{sha256(f'{source}:{key}'.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


def key_trouble(key: str) -> str:
    """Return what to write instead of a key with a place that nothing is known as, empty for a good one."""
    wrong = next((name for name in _PLACE.findall(key) if name not in PLACES), None)
    known = ", ".join(f"{{{each}}}" for each in PLACES)
    return "" if wrong is None else f"nothing is known as {{{wrong}}}; write one of {known}"
