"""Write the head of a run, or one of its tests to paste into an issue or an assistant, in Markdown.

Texts of tests stand in code only, where neither Markdown nor HTML reads them and no @name gets a message.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_automation_report.export.results import OUTPUTS, ExportedRun, ExportedTest
from pytest_automation_report.failures.reading import ReportedFailure, code_block, code_span, failure_markdown
from pytest_automation_report.findings.sentences import commit_text, compared_line
from pytest_automation_report.text.limits import cut_end, duration
from pytest_automation_report.text.node_ids import place_of
from pytest_automation_report.text.visible import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.findings.documents import RunFindings

_SIGNS: Final = {"fail": "❌ ", "pass": "✅ "}
_LINE_UNITS: Final = 160
_OUTPUT_CHARACTERS: Final = 2_000


def markdown_of(
    test: ExportedTest, run: ExportedRun | None = None, *, command: str = "", changes: Sequence[str] = ()
) -> str:
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
        place=plain(place_of(test.file, test.line)),
        sentence=". ".join([", ".join(facts), *changes]) + ".",
        command=plain(command),
        file=test.file or "",
    )
    parts = [failure_markdown(failure).rstrip()]
    texts = [
        *(("Then" if outcome.kind == "failure" else "Then an error", outcome.text) for outcome in outcomes[1:]),
        *((f"Attempt {attempt.number}", attempt.text) for attempt in test.earlier_attempts),
        *((name, test.output(name)) for name in OUTPUTS),
    ]
    parts += [f"{title}:\n\n{block(text, _OUTPUT_CHARACTERS)}" for title, text in texts if text]
    return "\n\n".join(parts) + "\n"


def code(text: str, units: int = _LINE_UNITS) -> str:
    """Return a foreign text as one line of code, shortened to some units."""
    line = cut_end(re.sub(r"\s+", " ", plain(text)).strip(), units)
    return code_span(line) if line else ""


def block(text: str, characters: int) -> str:
    """Return a foreign text as a block of code; of a long one the end, which has the error of a traceback."""
    shown = plain(text).strip("\n")
    if len(shown) > characters:
        shown = f"... {len(shown) - characters} characters left out ...\n{shown[-characters:]}"
    return code_block(shown, "text")


def headline(run: ExportedRun, findings: RunFindings | None, url: str, now: int) -> list[str]:
    """Return the lines that say how a run ended, what it was of, and what changed; ``now`` in us since 1970."""
    said = run.verdict(findings)
    verdict = f"{_SIGNS.get(said['tone'], '')}{said['long']}"
    if findings is not None and 0 < findings["ran"]["failed"] + findings["ran"]["files"] == findings["mine"]["known"]:
        verdict = f"⚠️ {said['long']}, {'all ' if findings['mine']['known'] > 1 else ''}known"
    if said["part"]:
        verdict += f", {said['part'].partition(': ')[0]}: {code(said['part'].partition(': ')[2])}"
    facts = [f"[run {run.id}](<{url}>)" if url else f"run {run.id}", *([code(run.source)] if run.source else [])]
    facts += _run_facts(run)
    if run.elapsed:
        facts.append(duration(run.elapsed))
    if not run.is_completed:
        facts.append("not completed yet")
    changes = "" if findings is None else compared_line(findings, now, code)
    return [f"### {verdict}", "", " · ".join(facts), *(["", f"{changes[0].upper()}{changes[1:]}."] if changes else [])]


def _run_facts(run: ExportedRun) -> list[str]:
    commit = commit_text(run.fields.get("Commit"), run.fields.get("Changes"))
    facts = {"configuration": run.config, "branch": run.fields.get("Branch", ""), "commit": commit}
    return [f"{name} {code(value)}" for name, value in facts.items() if value]
