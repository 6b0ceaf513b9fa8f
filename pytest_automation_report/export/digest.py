"""Say what failed in a run, each reason once: as text, as Markdown and as a document for programs; and one test.

The console command, the end of a session and comments on pull requests show the same digest. In Markdown the texts of
tests stand in code only, where neither Markdown nor HTML reads them and no @name gets a message.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from msgspec import Struct

from pytest_automation_report.api.results import OUTPUTS
from pytest_automation_report.export.results import ExportedTest, verdict_on
from pytest_automation_report.failures.frames import Call
from pytest_automation_report.failures.markdown import ReportedFailure, failure_markdown
from pytest_automation_report.failures.reading import read_failure
from pytest_automation_report.failures.tracebacks import one_line
from pytest_automation_report.findings.sentences import (
    LATER,
    changes_line,
    commit_text,
    compared_line,
    flaky_line,
    since_words,
    split_reasons,
    unlisted_reasons,
    verdict_sentence,
)
from pytest_automation_report.text.limits import cut_end, duration, printable, quantity, sanitize
from pytest_automation_report.text.markdown import code_block, code_span
from pytest_automation_report.text.node_ids import command_line, join_place, rerun_command
from pytest_automation_report.text.visible import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.failures.comparisons import Table
    from pytest_automation_report.failures.differences import Segments
    from pytest_automation_report.findings.documents import FailureReason, Mine, RunFindings, RunMention, SessionStop


VERSION: Final = 1
"""Version of the document; it changes when a member is renamed, removed or means something else."""

TEXT_CHARACTERS: Final = 2_750  # with the header of pytest and its plugins 3,500 for an agent
MARKDOWN_CHARACTERS: Final = 6_000

_TITLE_UNITS: Final = 140
_LINE_UNITS: Final = 120
_VALUE_UNITS: Final = 60
_NOTE_UNITS: Final = 300
_NOTES: Final = 20
_VALUES: Final = 5
_TESTS: Final = 10
_CODE_UNITS: Final = 160
_DETAILED: Final = 10  # reasons whose place and command come before further reasons
_OUTPUT_CHARACTERS: Final = 2_000
_SIGNS: Final = {"fail": "❌ ", "pass": "✅ "}
_COUNTS: Final = ("finished", "failed", "passed", "skipped", "not_run")


class DigestRun(TypedDict):
    """A run; ``state`` is the kind of its verdict, ``url`` the address of its page, None for the embedded store."""

    id: int
    url: str | None
    branch: str | None
    commit: str | None
    changes: str | None
    state: str


class DifferingValue(TypedDict):
    """What an assertion compared, at a path within it; a side is None if it lacks the path."""

    path: str
    left: str | None
    operator: str
    right: str | None


class DigestReason(TypedDict):
    """A reason of failures: ``count`` tests failed for it, and ``tests`` names the first of them.

    ``place`` and ``line`` say which code raised in one of them, ``notes`` lines below its message, such as
    the example of hypothesis that fails. ``fixture`` says which fixture that tests share failed, and when. ``command``
    runs them again, empty if no command is known.
    """

    title: str
    count: int
    place: str | None
    phase: str | None
    fixture: str | None
    kind: Mine | None
    mine: Mapping[str, int]
    same_reason: bool | None
    since: RunMention | None
    line: str
    values: Sequence[DifferingValue]
    notes: Sequence[str]
    tests: Sequence[str]
    owner: str | None
    command: str


class DigestDocument(TypedDict):
    """The digest for programs, as docs/documents.md describes it."""

    version: int
    run: DigestRun
    verdict: str
    counts: Mapping[str, int]
    reasons: Sequence[DigestReason]


class _Form(NamedTuple):
    """How a form writes foreign texts, shortened to some units, the lines of a reason, and how long it may be."""

    shown: Callable[[str, int], str]
    reason: str
    detail: str
    between: str
    characters: int


class Digest(Struct, frozen=True):
    """What failed in a run; ``now`` is in microseconds since 1970."""

    document: DigestDocument
    run: Run
    findings: RunFindings | None
    now: int
    is_new_only: bool = False

    def json(self, limit: int | None = None) -> str:
        """Return the document on one line, with at most ``limit`` reasons."""
        document = {**self.document, "reasons": self.document["reasons"][:limit]}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"

    def text(self, limit: int | None = None) -> str:
        """Return lines for a terminal: ``limit`` whole reasons, or as much of all as fits into `TEXT_CHARACTERS`."""
        run = self.document["run"]
        named = [f"run {run['id']}", *filter(None, (run["branch"], commit_text(run["commit"], run["changes"])))]
        changes = "" if self.findings is None else changes_line(self.findings, self.now)
        head = [
            printable(self.document["verdict"]),
            ": ".join(filter(None, [sanitize(", ".join(named), _LINE_UNITS), changes])),
        ]
        return self._written("\n".join([*head, *filter(None, [run["url"]])]), _TEXT, limit)

    def markdown(self, limit: int | None = None) -> str:
        """Return Markdown: ``limit`` whole reasons, or as much of all as fits into `MARKDOWN_CHARACTERS`."""
        head = headline(self.run, self.findings, self.document["run"]["url"] or "", LATER)
        return self._written("\n".join(head), _MARKDOWN, limit)

    def _written(self, head: str, form: _Form, limit: int | None) -> str:
        reasons = self.document["reasons"]
        flaky = "" if self.findings is None else flaky_line(self.findings, _VALUES, lambda text: form.shown(text, 80))
        owners = [*dict.fromkeys(reason["owner"] for reason in reasons)]
        reasons = sorted(reasons, key=lambda reason: owners.index(reason["owner"]))
        shown_owners = {owner: form.shown(owner, _LINE_UNITS) if owner else "nobody" for owner in owners}
        headings = {owner: f"owned by {name}:" for owner, name in shown_owners.items()} if any(owners) else {}
        now = LATER if form is _MARKDOWN else self.now
        entries = [_entry(reason, form, now) for reason in reasons[:limit]]
        taken = len(head) + len(flaky) + sum(len(heading) + 4 for heading in headings.values())
        shown = _fitted(entries, None if limit else form.characters - taken - _LINE_UNITS)
        listed = len(reasons)
        unlisted = 0 if self.findings is None or self.is_new_only else unlisted_reasons(self.findings)
        left = listed - len(shown) + unlisted
        only = " --new" if self.is_new_only else ""
        command = f"automation-report failures {self.run.id}{only} --limit {listed}"
        more = f"and {quantity(left, 'more reason')}" + (f": {command}" if len(shown) < listed else "") if left else ""
        if self.is_new_only and not reasons:
            more = "no new failure"
        groups: dict[str, list[str]] = {}
        for text, reason in zip(shown, reasons, strict=False):
            groups.setdefault(headings.get(reason["owner"], ""), []).append(text)
        # Below its owner a list of Markdown needs an empty line before it, and the next owner one after it.
        parts = [part for heading, texts in groups.items() for part in (heading, form.between.join(texts))]
        return "\n\n".join(filter(None, [head, *parts, more, flaky])) + "\n"


def digest_run(
    run: Run,
    failures: Iterable[ExportedTest],
    findings: RunFindings | None = None,
    *,
    now: int,
    url: str = "",
    is_new_only: bool = False,
) -> Digest:
    """Return the digest of a run; ``is_new_only`` leaves out all but the new failures.

    A Testmo instance has no findings: then tests with one message have one reason.
    """
    said = verdict_on(run, findings)
    reasons = _reasons({test.key: test for test in failures}, findings, new_keys(findings) if is_new_only else None)
    about: DigestRun = {
        "id": run.id,
        "url": url or None,
        "branch": run.field_value("Branch") or None,
        "commit": run.field_value("Commit") or None,
        "changes": run.field_value("Changes") or None,
        "state": said["kind"],
    }
    if findings is not None:
        # A session that died has the reason of the test that ran.
        reasons = [*(_stop(stop) for stop in findings.get("stops", ()) if stop["error"]), *reasons]
    document: DigestDocument = {
        "version": VERSION, "run": about, "verdict": verdict_sentence(said), "counts": _counts(run, findings),
        "reasons": reasons,
    }  # fmt: skip
    return Digest(document, run, findings, now, is_new_only)


def new_keys(findings: RunFindings | None) -> set[str]:
    """Return the keys of the new failures: of tests that did not fail in the base and are not known to be flaky."""
    entries = [] if findings is None else findings["tests"]["newly_failing"]
    return {entry["key"] for entry in entries if entry["kind"] == "new"}


def _counts(run: Run, findings: RunFindings | None) -> dict[str, int]:
    if findings is None:
        return {"finished": run.total, "failed": run.failure, "passed": run.success}
    ran = {name: findings["ran"][name] for name in _COUNTS}
    return {
        **ran,
        **findings["mine"],
        **{name: findings["counts"].get(name, 0) for name in ("back", "fixed", "gone", "unstable_ids", "reasons")},
    }


def _reasons(
    tests: Mapping[str, ExportedTest], findings: RunFindings | None, kept: Collection[str] | None
) -> list[DigestReason]:
    """Return the reasons of failures in the order of the findings; ``kept`` tests alone if not None."""
    if findings is None:
        groups: dict[str, list[ExportedTest]] = {}
        for test in tests.values():
            groups.setdefault(test.message.strip().partition("\n")[0], []).append(test)
        return [_reason(title, len(group), group) for title, group in groups.items() if kept is None]
    reasons = []
    split = split_reasons(findings)
    for found in findings["reasons"]:
        keys = [key for key in found["keys"] if kept is None or key in kept]
        if keys:
            count = found["count"] if kept is None else len(keys)
            # The command reruns all failures of a reason, also those of another kind.
            has_all = kept is None and len(keys) == count and found["fingerprint"] not in split
            is_shared = found.get("fixture") is not None  # which pytest cannot run by its name
            otherwise = rerun_command(findings["run"], found["fingerprint"]) if has_all or is_shared else ""
            reason = _reason(found["title"], count, [tests[key] for key in keys if key in tests], found, otherwise)
            reasons.append(reason)
    return reasons


def _reason(
    title: str, count: int, tests: Sequence[ExportedTest], found: FailureReason | None = None, otherwise: str = ""
) -> DigestReason:
    """Return a reason, with the ``tests`` that are known of it; ``otherwise`` is the command for a long list."""
    place, line, values, notes = _raised(tests[0]) if tests else ("", "", [], [])
    ids = [test.node_id for test in tests]
    fixture = found.get("fixture") if found else None
    return {
        "title": title,
        "count": count,
        "place": place or (found["place"] if found else None),
        "phase": found["phase"] if found else None,
        "fixture": fixture,
        "kind": found["kind"] if found else None,
        "mine": found["mine"] if found else {},
        "same_reason": found.get("same_reason") if found else None,
        "since": found["since"] if found else None,
        "line": line,
        "values": values,
        "notes": notes,
        "tests": [test.node_id or test.title for test in tests[:_TESTS]],
        "owner": next((test.owner for test in tests[:1] if test.owner), None),
        "command": otherwise if fixture else command_line(ids, count, otherwise),
    }


def _stop(stop: SessionStop) -> DigestReason:
    """Return what ended a session early as a reason, with the tests that ran then."""
    tests = [test for _, test in stop["running"] if test]
    line = ", ".join(filter(None, [*(worker for worker, _ in stop["running"]), stop["job"]]))
    return {
        "title": stop["error"] or "the process of the session died",
        "count": len(tests),
        "place": stop["place"] or None,
        "phase": "session",
        "fixture": None,
        "kind": None,
        "mine": {},
        "same_reason": None,
        "since": None,
        "line": f"on {line}" if line else "",
        "values": [],
        "notes": [],
        "tests": tests[:_TESTS],
        "owner": None,
        "command": command_line(tests, len(tests), ""),
    }


def _raised(test: ExportedTest) -> tuple[str, str, list[DifferingValue], list[str]]:
    """Return where a failure was raised, the statement, the values that it compared, and the notes of exceptions."""
    place = join_place(test.file, test.line)
    outcome = next(iter(test.outcome_texts), None)
    if outcome is None:
        return place, "", [], []
    found = read_failure(plain(outcome.text), plain(outcome.message), plain(outcome.type), file=test.file or "")
    shown = found[0]
    # The last lines are the notes of a message that is long itself.
    lines = (line for exception in found for line in exception.notes[-_NOTES // 2 :])
    notes = [cut_end(line, _LINE_UNITS) for line in lines if line.strip()][:_NOTES]
    frame = next((call.frame for call in shown.calls if isinstance(call, Call) and call.is_open), None)
    if frame is None:
        return place, "", _values(shown.table), notes
    return join_place(frame.path, frame.line), one_line(frame.code), _values(shown.table), notes


def _values(table: Table | None) -> list[DifferingValue]:
    if table is None:
        return []
    values: list[DifferingValue] = []
    for row in table.rows[:_VALUES]:
        left, right = _side(row.left), _side(row.right)
        # The statement itself says as much, or without one the title.
        if row.path or (table.left_title != "left" and (left, right) != (table.left_title, table.right_title)):
            path = row.path or table.left_title
            values.append({"path": path, "left": left, "operator": table.operator, "right": right})
    return values


def _side(side: Segments | None) -> str | None:
    return None if side is None else cut_end("".join(text for text, _ in side), _VALUE_UNITS)


def code(text: str, units: int = _CODE_UNITS) -> str:
    """Return a foreign text as one line of code, shortened to some units."""
    return code_span(cut_end(re.sub(r"\s+", " ", plain(text)).strip(), units))


_TEXT: Final = _Form(sanitize, "", "  ", "\n\n", TEXT_CHARACTERS)
_MARKDOWN: Final = _Form(code, "- ", "  - ", "\n", MARKDOWN_CHARACTERS)


def _entry(reason: DigestReason, form: _Form, now: int) -> tuple[str, list[str]]:
    """Return the first line of a reason, and a line each for place, values, notes and command, empty if not known."""

    def shown(text: str) -> str:
        return form.shown(text, _LINE_UNITS)

    amount = quantity(reason["count"], "file" if reason["phase"] == "collection" else "test")
    if reason["phase"] == "session":
        amount = "ended the session"
    if reason["fixture"]:
        amount = f"error in the {form.shown(reason['fixture'], _LINE_UNITS)}"
    whose = since_words(reason, now, shown)
    title = form.shown(reason["title"], _TITLE_UNITS)
    head = ": ".join(filter(None, [", ".join(filter(None, [amount, whose])), title]))
    line = "" if reason["line"] in reason["title"] else reason["line"]
    place = ": ".join(shown(text) for text in (reason["place"], line) if text)
    values = [f"{value['path']}: {value['left']} {value['operator']} {value['right']}" for value in reason["values"]]
    # A command that is cut would run something else.
    command = form.shown(reason["command"], len(reason["command"]) + 1)
    notes = form.shown(" ".join(line.strip() for line in reason["notes"]), _NOTE_UNITS)
    details = [place, shown("; ".join(values)), notes, command or shown(", ".join(reason["tests"]))]
    return f"{form.reason}{head}", [detail and f"{form.detail}{detail}" for detail in details]


def _fitted(entries: Sequence[tuple[str, Sequence[str]]], room: int | None) -> list[str]:
    """Return reasons as texts, as many as there is room for: the first ten with place and command, and others' lines.

    What room is left has places, commands, notes and values.
    """
    shown: list[dict[int, str]] = []
    room = sys.maxsize if room is None else room
    for head, details in entries:
        # A very long command would take the place of other reasons.
        kept = [number for number in (0, 3) if len(shown) < _DETAILED and 0 < len(details[number]) < room // 8]
        lines = {0: head, **{number + 1: details[number] for number in kept}}
        size = sum(len(line) + 1 for line in lines.values()) + 1
        if size > room:
            break
        shown.append(lines)
        room -= size
    for number in (0, 3, 2, 1):
        for lines, (_, details) in zip(shown, entries, strict=False):
            if details[number] and number + 1 not in lines and len(details[number]) < room:
                lines[number + 1] = details[number]
                room -= len(details[number]) + 1
    return ["\n".join(line for _, line in sorted(lines.items())) for lines in shown]


def headline(run: Run, findings: RunFindings | None, url: str, now: int) -> list[str]:
    """Return the lines that say how a run ended, what it was of, and what changed; ``now`` in us since 1970."""
    said = verdict_on(run, findings)
    sign, config = _SIGNS.get(said["tone"], ""), f"{code(run.config)}: " if run.config else ""
    verdict = said["long"]
    ran = None if findings is None or findings["ran"].get("unexplained_exit") else findings["ran"]
    if (
        findings is not None
        and ran is not None
        and 0 < ran["failed"] + ran["files"] + ran.get("fixtures", 0) == findings["mine"]["known"]
    ):
        sign, verdict = "⚠️ ", f"{verdict}, {'all ' if findings['mine']['known'] > 1 else ''}known"
    if said["part"]:
        verdict += f", {said['part'].partition(': ')[0]}: {code(said['part'].partition(': ')[2])}"
    facts = [f"[run {run.id}](<{url}>)" if url else f"run {run.id}", *([code(run.source)] if run.source else [])]
    facts += _run_facts(run, has_config=False)
    if run.elapsed:
        facts.append(duration(run.elapsed))
    if not run.is_completed:
        facts.append("not completed yet")
    changes = "" if findings is None else compared_line(findings, now, code)
    return [
        f"### {sign}{config}{verdict}",
        "",
        " · ".join(facts),
        *(["", f"{changes[0].upper()}{changes[1:]}."] if changes else []),
    ]


def _run_facts(run: Run, *, has_config: bool = True) -> list[str]:
    commit = commit_text(run.field_value("Commit"), run.field_value("Changes"))
    facts = {"configuration": has_config and run.config, "branch": run.field_value("Branch"), "commit": commit}
    return [f"{name} {code(value)}" for name, value in facts.items() if value]


def markdown_text(test: ExportedTest, run: Run | None = None, *, command: str = "", changes: Sequence[str] = ()) -> str:
    """Return one test as Markdown; ``command`` runs it again, ``changes`` are sentences about the runs before."""
    outcomes = test.outcome_texts
    first = next(iter(outcomes), None)
    status = "Flaky" if test.is_flaky else (test.status or test.verdict).capitalize()
    if test.verdict == "failed":
        status = "Error" if test.is_error else "Failed"
    facts = [status, *([] if run is None else _run_facts(run))]
    if test.attempt_count > 1:
        facts.append(f"{test.attempt_count} attempts")
    failure = ReportedFailure(
        title=plain(test.title),
        text=plain(first.text) if first else "",
        message=plain(first.message) if first else "",
        type_name=plain(first.type) if first else "",
        place=plain(join_place(test.file, test.line)),
        sentence=". ".join([", ".join(facts), *changes]) + ".",
        command=plain(command),
        file=test.file or "",
    )
    parts = [failure_markdown(failure).rstrip()]
    texts = [
        *(("Then" if outcome.kind == "failure" else "Then an error", outcome.text) for outcome in outcomes[1:]),
        *((f"Attempt {attempt.number}", attempt.text) for attempt in test.earlier_attempts),
        *((name, test.output.get(name, "")) for name in OUTPUTS),
    ]
    parts += [f"{title}:\n\n{block(text, _OUTPUT_CHARACTERS)}" for title, text in texts if text]
    return "\n\n".join(parts) + "\n"


def block(text: str, characters: int) -> str:
    """Return a foreign text as a block of code; of a long one the end, which has the error of a traceback."""
    shown = plain(text).strip("\n")
    if len(shown) > characters:
        shown = f"... {len(shown) - characters} characters left out ...\n{shown[-characters:]}"
    return code_block(shown, "text")
