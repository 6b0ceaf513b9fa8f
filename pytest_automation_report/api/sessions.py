"""Say how a session ended and how many tests it had, in the fields that a Testmo instance shows; read them there.

Pages, lists and exports of a server of ours show the same fields, made of what it stores.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import Ending, Field, SessionSummary, failure_limit
from pytest_automation_report.text.limits import whole_number
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_automation_report.api.models import EndingState
    from pytest_automation_report.findings.sentences import Cut

COLLECTED_FIELD: Final = "Collected"  # number of tests that are to run, as a rule known before the first of them
DESELECTED_FIELD: Final = "Deselected"  # number of tests that options and plugins deselected; absent for none
ENDING_FIELD: Final = "Session"  # how the session ended
NOT_RUN_FIELD: Final = "Not run"  # number of tests without a result
SESSION_FIELDS: Final = (COLLECTED_FIELD, DESELECTED_FIELD, ENDING_FIELD, NOT_RUN_FIELD)

_OF_STATUS: Final[Mapping[int, str]] = {
    0: "no test failed",
    1: "tests failed",
    2: "interrupted",
    3: "internal error of pytest",
    4: "usage error",
    5: "no tests were run",
}
_BY_PLUGIN: Final = "ended by a plugin"
_UNEXPLAINED: Final = f"{_BY_PLUGIN}, no test failed"
_WORDS: Final[Mapping[EndingState, str]] = {
    "died": "pytest died before the session ended",
    "interrupted": "interrupted by Ctrl-C",
    "interrupted in a worker": "interrupted by Ctrl-C or pytest.exit in a worker",
    "left": "pytest stopped before the session ended",
}
# Of states with a text behind these words.
_PREFIXES: Final[Mapping[EndingState, str]] = {"exit": "ended by pytest.exit: ", "stopped": "stopped: "}
_STARTS: Final = (_UNEXPLAINED, _BY_PLUGIN, *_OF_STATUS.values())
_WITH_STATUS: Final = lazy_pattern(rf"({'|'.join(_STARTS)})(?:, (.*))? \(exit status (-?[0-9]{{1,10}})\)", re.DOTALL)


def ending_words(ending: Ending) -> str:
    """Return how a session ended as a sentence."""
    if ending.state == "ended":
        start = _UNEXPLAINED if ending.is_unexplained else _OF_STATUS.get(ending.status, _BY_PLUGIN)
        return f"{start}{f', {ending.text}' if ending.text else ''} (exit status {ending.status})"
    return _WORDS.get(ending.state) or _PREFIXES.get(ending.state, "") + ending.text


def ending_from(words: str) -> Ending:
    """Return how a session ended, from the sentence of `ending_words`."""
    for state, known in _WORDS.items():
        if words == known:
            return Ending(state)
    for state, prefix in _PREFIXES.items():
        if words.startswith(prefix):
            text = words.removeprefix(prefix)
            return Ending(state, text=text, limit=failure_limit(text) if state == "stopped" else None)
    match = _WITH_STATUS.fullmatch(words)
    if match is None:
        return Ending("other", text=words, limit=failure_limit(words))
    start, text, status = match[1], match[2] or "", int(match[3])
    return Ending("ended", status, is_unexplained=start == _UNEXPLAINED, limit=failure_limit(text), text=text)


def cut_of(ending: Ending) -> Cut:
    """Return what cut a session short, if anything did, and the number of failures at which it was to stop."""
    if ending.state == "died":
        return "died", 0
    if ending.state in {"interrupted", "interrupted in a worker", "exit"}:
        return "interrupted", 0
    return ("", 0) if ending.limit is None else ("stopped", ending.limit)


def worst_cut(endings: Iterable[Ending]) -> Cut:
    """Return the worst of what cut the sessions of a run short."""
    order = ("died", "interrupted", "stopped", "")
    return min(map(cut_of, endings), key=lambda cut: order.index(cut[0]), default=("", 0))


def session_fields(session: SessionSummary) -> list[Field]:
    """Return the fields that say what a session has told so far."""
    fields: list[Field] = []
    if session.collected is not None:
        fields.append(Field(COLLECTED_FIELD, str(session.collected)))
    if session.deselected:
        fields.append(Field(DESELECTED_FIELD, str(session.deselected)))
    if session.ending is not None:
        fields.append(Field(ENDING_FIELD, ending_words(session.ending)))
    if session.not_run:
        fields.append(Field(NOT_RUN_FIELD, str(session.not_run)))
    return fields


def session_from(fields: Iterable[tuple[str, str | None]]) -> SessionSummary:
    """Return what the names and values of a run's fields, or of a thread's, tell of its session."""
    texts = {name: value for name, value in fields if name in SESSION_FIELDS and value is not None}
    words = texts.get(ENDING_FIELD)
    collected, deselected, not_run = (
        whole_number(texts.get(name)) for name in (COLLECTED_FIELD, DESELECTED_FIELD, NOT_RUN_FIELD)
    )
    return SessionSummary(
        ending=None if words is None else ending_from(words),
        collected=collected,
        deselected=deselected or 0,
        not_run=not_run or 0,
    )
