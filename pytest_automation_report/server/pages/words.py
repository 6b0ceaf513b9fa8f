"""Write numbers, times, statuses and verdicts for readers, and read foreign texts: lines, steps, URLs, commands.

A tone is the name of a colour.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.models import is_web_address
from pytest_automation_report.api.sessions import session_fields
from pytest_automation_report.api.text_fields import known_field
from pytest_automation_report.failures.terminal import TerminalLine, terminal_lines
from pytest_automation_report.failures.tracebacks import first_margin
from pytest_automation_report.findings.sentences import brief, commit_text, moment, time_ago
from pytest_automation_report.server.pages.urls import FLAKY
from pytest_automation_report.server.store.stored import StoredEntry, entries_in
from pytest_automation_report.server.store.values import EPOCH, RESULT_STATUSES, RunStatus
from pytest_automation_report.text.limits import duration, quantity
from pytest_automation_report.text.node_ids import join_title
from pytest_automation_report.text.visible import Span, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import SessionSummary
    from pytest_automation_report.findings.documents import RunMention, VerdictWords
    from pytest_automation_report.server.store.histories import UsualTime
    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.stored import Counts, StoredResult

_SECOND, _MINUTE = 1_000_000, 60_000_000


def tests_and_files(count: int, files: int) -> str:
    """Return a number of tests in words; ``files`` of them are files that could not be collected."""
    words = [quantity(count - files, "test")] if count > files or not files else []
    return " and ".join([*words, quantity(files, "file")] if files else words)


def files_in(entries: Iterable[Mapping[str, Any]]) -> int:
    """Return how many of these tests are files: these have their folder's name."""
    return sum(entry["folder"] == entry["name"] for entry in entries)


def told_apart(places: Sequence[tuple[str, str]]) -> list[str]:
    """Return the names of tests by folder and name; those that several folders have stand with their folder."""
    folders = Counter(name for _, name in {*places})
    return [join_title(folder, name) if folders[name] > 1 else name for folder, name in places]


def duration_change(microseconds: int | None, before: int | None) -> tuple[str, str] | None:
    """Return the change of a duration with its sign, and ``up`` or ``down``; None if it is small or unknown."""
    if microseconds is None or not before:
        return None
    change = microseconds - before
    # A change of less than a twentieth, or of less than half a second, is noise.
    if abs(change) < max(_SECOND // 2, 0.05 * before):
        return None
    sign, direction = ("+", "up") if change > 0 else ("\u2212", "down")
    return f"{sign}{duration(abs(change))}", direction


def begun_words(since: RunMention | None) -> str:
    """Return the run and commit with which something began; nothing without one."""
    if since is None:
        return ""
    commit = commit_text(since["commit"], since["changes"])
    return f"since #{since['run']}{f' ({commit})' if commit else ''}"


def usual_words(usual: UsualTime | None) -> str:
    """Return what a test usually takes, and until when it took another time: ``57 ms until #7, 901 ms since #8``."""
    if usual is None or usual.before is None:
        return duration(None if usual is None else usual.elapsed)
    return f"{duration(usual.before)} until #{usual.until}, {duration(usual.elapsed)} {begun_words(usual.since)}"


def ago(microseconds: int, now: int) -> str:
    """Return how long before ``now`` a moment was; both in microseconds since 1970."""
    past = now - microseconds
    # Clocks of two machines may differ a little.
    return time_ago(past) if past >= -_MINUTE else moment(microseconds)


def file_size(size: int) -> str:
    """Return a number of bytes in the largest fitting unit."""
    if size < 1_000:  # noqa: PLR2004 - a unit
        return quantity(size, "byte")
    exponent = min(3, (len(str(size)) - 1) // 3)
    return f"{size / 1_000**exponent:.{0 if size >= 10 * 1_000**exponent else 1}f} {('kB', 'MB', 'GB')[exponent - 1]}"


def time_at(microseconds: int) -> datetime:
    """Return a moment in microseconds since 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


LINES_SHOWN: Final = 5_000  # most lines of one text that a page shows


class Line(Struct, frozen=True):
    """One line of a text, in pieces with classes for their colours; ``kind`` is the class of a traceback's line."""

    kind: Literal["err", "hit", ""]
    text: str
    pieces: TerminalLine = ()


def lines(text: str, spans: Sequence[Span] = ()) -> list[Line]:
    """Return at most `LINES_SHOWN` lines of a traceback; those in which a span of colour stands have pieces."""
    screen = terminal_lines(text, spans) if spans else None
    numbered = screen.numbered if screen else ()
    coloured = {number - 1: line for number, line in numbered if any(classes for classes, _ in line)}
    text = plain(text).rstrip("\n")
    margin = first_margin(text)
    text = f"{margin}{text}"
    if margin and 0 in coloured:
        coloured[0] = (("", margin), *coloured[0])
    parts = text.split("\n", LINES_SHOWN)
    rest_count = parts.pop().count("\n") + 1 if len(parts) > LINES_SHOWN else 0
    shown = [Line(_kind(line), line, coloured.get(number, ())) for number, line in enumerate(parts)]
    return [*shown, Line("", f"... {rest_count} more lines")] if rest_count else shown


def web_address(text: str | None) -> str | None:
    """Return the web address of a link; None for anything else, such as ``javascript:``."""
    address = (text or "").strip()
    return address if is_web_address(address) else None


def _kind(line: str) -> Literal["err", "hit", ""]:
    if line.startswith("E ") or line == "E":
        return "err"
    return "hit" if line.startswith(">") else ""


def attached(record: RunRecord, kind: str, thread: int | None = None) -> list[StoredEntry]:
    """Return the fields, artifacts or links of a run, or of one of its threads."""
    return [each.body for each in record.attachments if each.thread == thread and each.kind == kind]


def fields_of(record: RunRecord) -> dict[str, str]:
    """Return the values of a run's own fields by name; of several jobs that send one of a name, the last counts."""
    return {field.name: field.value or "" for field in attached(record, "fields")}


def told_by(session: SessionSummary) -> list[StoredEntry]:
    """Return the fields that say how a session ended, and how many tests it did not run."""
    told = session_fields(replace(session, collected=None, deselected=0))
    return [StoredEntry(field.name, value=field.value) for field in told]


def links_of(record: RunRecord) -> tuple[str, list[StoredEntry]]:
    """Return the web address of a run's commit, "" without one, and the run's other links."""
    links = attached(record, "links")
    commit = next((link.url for link in links if link.name.lower() == "commit"), "")
    return commit, [link for link in links if link.name.lower() != "commit"]


def fields_in(row: StoredResult) -> list[StoredEntry]:
    """Return the fields of a result, with the one that says until when its failure is, or was, known."""
    known = [] if row.known is None else [known_field(row.known)]
    return [*entries_in(row.fields), *(StoredEntry(field.name, field.type, field.value) for field in known)]


_WORDS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,}")


def common_phrase(texts: Iterable[str], word: str) -> str | None:
    """Return the word of these texts that is nearest to a misspelled one; None if none is near."""
    # Words of names are joined by underscores: each is one to find, too.
    candidates = {
        part.lower(): part for text in texts for found in _WORDS.findall(text) for part in (found, *found.split("_"))
    }
    near = get_close_matches(word.lower(), candidates, n=1, cutoff=0.75)
    return candidates[near[0]] if near else None


_WHOLE_LENGTH, _END_LENGTH = 24, 16


def halves(name: str) -> tuple[str, str]:
    """Return a long name in two parts: the second, its parameters or its end, stands where the first is cut."""
    if len(name) <= _WHOLE_LENGTH:
        return name, ""
    parameters = name.find("[")
    end = len(name) - _END_LENGTH
    place = max(parameters, end)
    return name[:place], name[place:]


StatusTone: TypeAlias = Literal["pass", "fail", "skip", "warn", "block", "idle", "live"]

_TONES: Final[Mapping[int, StatusTone]] = {1: "idle", 2: "pass", 3: "fail", 4: "warn", 5: "block", 6: "skip"}
RUN_WORDS: Mapping[int, tuple[str, StatusTone]] = {
    RunStatus.SUCCESS: ("Passed", "pass"),
    RunStatus.FAILURE: ("Failed", "fail"),
    RunStatus.RUNNING: ("Running", "live"),
}

# Words of the letters of a history (see `store.histories`).
OUTCOMES: Final[Mapping[str, str]] = {"f": "failed", "r": "flaky", "p": "passed", "s": "skipped", ".": "not run"}
# Tones of these words.
OUTCOME_TONES: Final[Mapping[str, str]] = {
    "failed": "fail", "flaky": "flaky", "passed": "pass", "skipped": "skip", "not run": "idle",
}  # fmt: skip


class ShownStatus(Struct, frozen=True):
    """A result status with its name and tone."""

    id: int
    name: str
    tone: StatusTone


# All result statuses by their ids.
STATUSES_SHOWN: Final = {each.id: ShownStatus(each.id, each.name, _TONES[each.id]) for each in RESULT_STATUSES.values()}
# All result statuses, failures first and passes last.
STATUSES_RANKED: Final = tuple(STATUSES_SHOWN[number] for number in (3, 5, 4, 6, 1, 2))
_FLAKY_PLACE: Final = 3  # flaky tests stand before the skipped ones


class Part(Struct, frozen=True):
    """A part of the bar of some tests; ``key`` is its status in a URL, empty for tests that did not run."""

    tone: str
    name: str
    count: int
    key: str = ""


def counts_of(row: Counts) -> dict[int, int]:
    """Return the number of results of a run or thread by the ids of the statuses that it has, failures first."""
    counts = ((status.id, row.of_status(status.id)) for status in STATUSES_RANKED)
    return {status: count for status, count in counts if count}


def parts_of(counts: Mapping[int, int], flaky: int = 0, missing: int = 0, *, is_open: bool = False) -> list[Part]:
    """Return the parts of a bar: each status, flaky tests apart from the passed ones, and tests that did not run."""
    parts = [Part(status.tone, status.name, counts.get(status.id, 0), str(status.id)) for status in STATUSES_RANKED]
    parts[-1] = replace(parts[-1], count=parts[-1].count - flaky)
    parts.insert(_FLAKY_PLACE, Part("flaky", "Flaky", flaky, FLAKY))
    parts.append(Part("idle", "To come" if is_open else "Not run", missing))
    return [part for part in parts if part.count > 0]


def sign(tone: str) -> str:
    """Return the character that stands for a tone in the title of a window."""
    return {"fail": "✗", "pass": "✓", "live": "●", "flaky": "◆", "skip": "–"}.get(tone, "·")  # noqa: RUF001 - typography


def titled(said: VerdictWords) -> str:
    """Return a verdict for the title of a window."""
    # An open run has the sign of one, whether tests failed or not.
    return f"{sign('live' if said['kind'] == 'running' else said['tone'])} {brief(said)}"
