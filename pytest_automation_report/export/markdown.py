"""Write a run as a comment on a pull request, or one failure to paste into an issue or an assistant, in Markdown.

Texts of tests stand in code only, where neither Markdown nor HTML reads them and no @name gets a message.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_automation_report.export.results import OUTPUTS
from pytest_automation_report.failures.reading import ReportedFailure, code_block, code_span, failure_markdown
from pytest_automation_report.findings.verdict import fresh
from pytest_automation_report.text.limits import cut_end
from pytest_automation_report.text.terminal import SHORT_COMMIT, change_counts, quantity, title_of
from pytest_automation_report.text.visible import plain, referenced, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_automation_report.export.results import ExportedRun, ExportedTest
    from pytest_automation_report.findings.documents import RunFindings

COMMENT_BYTES: Final = 60_000
"""Longest comment in bytes: GitHub refuses one of more than 65,536 characters."""

_SIGNS: Final = {"fail": "❌ ", "pass": "✅ "}
_LISTED: Final = 20
_REASONS: Final = 10
_LINE_UNITS: Final = 160
_TEXT_CHARACTERS: Final = 6_000
_OUTPUT_CHARACTERS: Final = 2_000


def markdown_of(
    test: ExportedTest, run: ExportedRun | None = None, *, command: str = "", changes: Sequence[str] = ()
) -> str:
    """Return one test as Markdown; ``command`` runs it again, ``changes`` are sentences about the runs before."""
    problems = test.problems
    first = next(iter(problems), None)
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
        place=plain(f"{test.file}:{test.line}" if test.line else test.file) if test.file else "",
        sentence=". ".join([", ".join(facts), *changes]) + ".",
        command=plain(command),
    )
    parts = [failure_markdown(failure).rstrip()]
    texts = [
        *(("Then" if problem.kind == "failure" else "Then an error", problem.text) for problem in problems[1:]),
        *((f"Attempt {attempt.number}", attempt.text) for attempt in test.earlier_attempts),
        *((name, test.output(name)) for name in OUTPUTS),
    ]
    parts += [f"{title}:\n\n{block(text, _OUTPUT_CHARACTERS)}" for title, text in texts if text]
    return "\n\n".join(parts) + "\n"


def comment(
    run: ExportedRun,
    failures: Sequence[ExportedTest],
    findings: RunFindings | None = None,
    *,
    url: str = "",
    max_bytes: int = COMMENT_BYTES,
) -> str:
    """Return a run as a comment: verdict, new failures, reasons, flaky tests, and the texts that fit in."""
    head = [*_verdict(run, findings, url), *_new_failures(failures, findings), *_reasons(findings), *_flaky(findings)]
    text = "\n".join(head)
    remark = "\n\nThe texts of further failures are left out."
    for test in _representatives(failures, findings):
        if not test.problems:
            continue
        details = "\n\n" + _details(test)
        if len((text + details + remark).encode()) > max_bytes:
            text += remark
            break
        text += details
    return text + "\n"


def code(text: str) -> str:
    """Return a foreign text as one line of code."""
    line = cut_end(re.sub(r"\s+", " ", plain(text)).strip(), _LINE_UNITS)
    return code_span(line) if line else ""


def block(text: str, characters: int) -> str:
    """Return a foreign text as a block of code; of a long one the end, which has the error of a traceback."""
    shown = plain(text).strip("\n")
    if len(shown) > characters:
        shown = f"... {len(shown) - characters} characters left out ...\n{shown[-characters:]}"
    return code_block(shown, "text")


def _verdict(run: ExportedRun, findings: RunFindings | None, url: str) -> list[str]:
    said = run.verdict(findings)
    verdict = f"{_SIGNS.get(said['tone'], '')}{said['long']}"
    if said["part"]:
        verdict += f", {said['part'].partition(': ')[0]}: {code(said['part'].partition(': ')[2])}"
    facts = [f"[run {run.id}](<{url}>)" if url else f"run {run.id}", *([code(run.source)] if run.source else [])]
    facts += _run_facts(run)
    if run.elapsed:
        minutes, seconds = divmod(run.elapsed / 1_000_000, 60)
        facts.append(f"{minutes:.0f} min {int(seconds):02d} s" if minutes else f"{seconds:.1f} s")
    if not run.is_completed:
        facts.append("not completed yet")
    changes = _changes(findings)
    return [f"### {verdict}", "", " · ".join(facts), *(["", changes] if changes else [])]


def _run_facts(run: ExportedRun) -> list[str]:
    facts = {"branch": run.fields.get("Branch", ""), "commit": run.fields.get("Commit", "")[:SHORT_COMMIT]}
    return [f"{name} {code(value)}" for name, value in facts.items() if value]


def _changes(findings: RunFindings | None) -> str:
    if findings is None:
        return ""
    base = findings["base"]
    if base is None:
        return "There is no earlier run to be compared with."
    parts = change_counts(findings)
    commit = f" ({code(str(base['commit'])[:SHORT_COMMIT])})" if base.get("commit") else ""
    if not parts:
        return f"Nothing changed since run {base['run']}{commit}."
    return f"**{', '.join(parts.values())}** since run {base['run']}{commit}."


def _new_failures(failures: Sequence[ExportedTest], findings: RunFindings | None) -> list[str]:
    """Return the list of new failures, or of all if nothing is known of earlier runs."""
    messages = {test.key: test.message for test in failures}
    if findings is None or findings["base"] is None:
        rows, count, title = [(test.title, test.key) for test in failures], len(failures), "Failed"
    else:
        entries = findings["tests"]["newly_failing"]
        rows = [(title_of(entry["folder"], entry["name"]), entry["key"]) for entry in entries]
        count, title = findings["counts"]["newly_failing"], "New failures"
    lines = []
    for name, key in rows[:_LISTED]:
        first_line = code(messages.get(key, "").strip().partition("\n")[0])
        lines.append(f"- {code(name)}: {first_line}" if first_line else f"- {code(name)}")
    return _section(title, lines, count)


def _reasons(findings: RunFindings | None) -> list[str]:
    reasons = [] if findings is None else findings["reasons"]
    if len(reasons) < 2:  # noqa: PLR2004 - one reason is in the list of failures already
        return []
    lines = [
        f"- {quantity(reason['count'], 'test')}{fresh(reason, ', {}')}: {code(reason['title'])}"
        + (f" in {code(reason['place'] or '')}" if reason["place"] else "")
        for reason in reasons[:_REASONS]
    ]
    return _section("Reasons", lines, len(reasons))


def _flaky(findings: RunFindings | None) -> list[str]:
    tests = [] if findings is None else [test for test in findings["flaky"] if test["state"] == "flaky"]
    lines = [
        f"- {code(title_of(test['folder'], test['name']))}: failed in {test['failed']} of {test['runs']} runs"
        for test in tests[:_LISTED]
    ]
    return _section("Flaky", lines, len(tests))


def _section(title: str, lines: Sequence[str], count: int) -> list[str]:
    if not lines:
        return []
    more = [f"- and {count - len(lines):,} more"] if count > len(lines) else []
    return ["", f"#### {title} ({count:,})", "", *lines, *more]


def _representatives(failures: Sequence[ExportedTest], findings: RunFindings | None) -> Iterable[ExportedTest]:
    """Yield a test of each reason, new reasons first; without reasons all failures."""
    if findings is None or not findings["reasons"]:
        yield from failures
        return
    names = {test.key: test for test in failures}
    for reason in sorted(findings["reasons"], key=lambda reason: reason["kind"] != "new"):
        test = next((names[key] for key in reason["keys"] if key in names), None)
        if test is not None:
            yield test


def _details(test: ExportedTest) -> str:
    """Return the text of a failure, closed until a reader opens it."""
    texts = [block(problem.text, _TEXT_CHARACTERS) for problem in test.problems]
    summary = visible(cut_end(test.title, _LINE_UNITS))
    # GitHub reads no Markdown in a summary, so the name is HTML with each special character as a reference.
    safe = referenced(re.sub(r"\s+", " ", summary))
    return "\n".join([f"<details><summary><code>{safe}</code></summary>", "", "\n\n".join(texts), "", "</details>"])
