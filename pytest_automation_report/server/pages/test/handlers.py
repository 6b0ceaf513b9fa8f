"""Answer the URLs of a test's pages: in one run, and across runs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.failures.highlighting import terminal_lines
from pytest_automation_report.failures.markdown import ReportedFailure, failure_markdown
from pytest_automation_report.server.pages.queries import HISTORY_ROWS
from pytest_automation_report.server.pages.rendering import Page
from pytest_automation_report.server.pages.run.changes import MAIN_WORKER
from pytest_automation_report.server.pages.run.head import flaky_evidence
from pytest_automation_report.server.pages.state import PICTURES, result_state
from pytest_automation_report.server.pages.test import failure, history, view_models
from pytest_automation_report.server.pages.test.links import NO_LINKS, CommonValues, neighbours_in, way_back
from pytest_automation_report.server.pages.test.view_models import files_of, preview_of, previewed
from pytest_automation_report.server.pages.words import STATUSES_SHOWN, rerun_command, run_summary, with_defaults
from pytest_automation_report.server.store import extensions
from pytest_automation_report.server.store.artifacts import part_of
from pytest_automation_report.server.store.compared import flaky_state
from pytest_automation_report.server.store.contents import hashes_in, stored_contents
from pytest_automation_report.server.store.findings import stored_findings
from pytest_automation_report.server.store.values import hexadecimal
from pytest_automation_report.text.names import split_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import falcon

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.documents import Mine
    from pytest_automation_report.findings.flakiness import Flakiness
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.state import TestState
    from pytest_automation_report.server.pages.test.history import Outcome, Piece
    from pytest_automation_report.server.pages.test.links import CodeLinks
    from pytest_automation_report.server.pages.test.view_models import Output, TestFile
    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.store import Store

# Other branches whose outcomes stand beside those of the shown one.
_OTHERS: Final = 8
# Results before this one that are searched for an earlier picture.
_EARLIER_PICTURES: Final = 5


class TestPage(Page):
    """One test of a run."""

    __test__ = False  # pytest must not collect it

    def __init__(self, store: Store, code_links: CodeLinks = NO_LINKS) -> None:
        super().__init__(store)
        self._code_links = code_links

    def on_get(self, req: falcon.Request, resp: falcon.Response, result_id: int) -> None:
        """Show the test's result: what failed, its attempts, files and output, its history."""
        state = result_state(req.params)
        values = self.read(lambda reader: result_values(result_id, state, CommonValues(reader)))
        self.show(req, resp, "test/test.html", code_links=self._code_links, **values)


def result_values(result_id: int, state: TestState, common: CommonValues) -> dict[str, Any]:
    """Return the values of the template ``test/test.html``."""
    reader = common.reader
    row = reader.test(result_id)
    run = common.once(("run", row["run"]), partial(reader.run, row["run"], max_threads=0))
    fields = [with_defaults(field) for field in json.loads(row["fields"] or "[]")]
    values = lone_values(row, fields, state)
    earlier = None if values["attempt"] == values["attempts"][-1].number else values["attempt"]
    results = reader.history(row["case"])
    outcomes = history.outcomes_of(results, result_id)
    current = next((outcome for outcome in outcomes if outcome.result == result_id), None)
    kinds = common.once(("kinds", row["run"]), partial(_kinds, reader, row["run"]))
    values |= {
        "run": common.once(("summary", row["run"]), partial(_run_values, run, reader)),
        **_file_values(row, reader, earlier, outcomes, current),
        **_history_values(outcomes, current, state, kinds.get(result_id)),
        "jobs": history.job_outcomes(results, row["run"]),
        "neighbours": neighbours_in(common, run, row, state.origin_query),
        **_related_values(row, reader),
        **_worker_values(row, run.row, common),
    }
    values["markdown"] = _markdown(row, fields, values)
    return values


def _kinds(reader: PageReader, run_id: int) -> dict[int | None, Mine | None]:
    """Return whose the failures of a run are, by their results; nothing before its findings are stored."""
    found = stored_findings(reader.connection, run_id)
    lists = () if found is None else (found["tests"]["newly_failing"], found["tests"]["still_failing"])
    return {entry["result"]: entry["kind"] for entries in lists for entry in entries}


def _run_values(run: RunRecord, reader: PageReader) -> dict[str, Any]:
    source = reader.source_name(run.row["source"])
    return {**run_summary(run, source), "commit": run.row["commit"] or ""}


def lone_values(row: Json, fields: Sequence[Json], state: TestState) -> dict[str, Any]:
    """Return the values of a test's page that come from its row alone; all others are there, too, but empty."""
    status = STATUSES_SHOWN[row["status"]]
    attempts = failure.attempts_of(fields, status, row["elapsed"], row["failed_attempts"])
    earlier = state.attempt if state.attempt in {attempt.number for attempt in attempts[:-1]} else None
    left = None if earlier is None else extensions.earlier_attempts(row).get(earlier)
    if earlier is None:
        colours, comparison, phases = extensions.colours(row), extensions.comparison(row), extensions.phase_times(row)
    else:
        colours, comparison, phases = (left.colours, left.comparison, left.phases) if left else ({}, None, None)
    return {
        "row": row,
        "state": state,
        "reason": "" if row["fingerprint"] is None else hexadecimal(row["fingerprint"]),
        "status": status,
        "function": split_name(row["name"]),
        "attempts": attempts,
        "attempt": earlier if earlier is not None else attempts[-1].number,
        "sections": failure.sections_of(fields, earlier, comparison, colours),
        "phases": phases,
        "steps": view_models.step_rows(row, fields, earlier, left),
        "facts": view_models.facts_of(fields),
        "texts": view_models.other_texts(fields, earlier, colours),
        "command": rerun_command(row, fields),
        **_output_values(
            view_models.outputs_of(fields, colours) if earlier is None else view_models.outputs_of_attempt(left),
            state,
        ),
        **_history_values((), None, state),
        "jobs": [],
        "all_files": [],
        "pictures": [],
        "videos": [],
        "files": [],
        "previews": {},
        "picture_modes": PICTURES,
        "neighbours": None,
        "way_back": way_back(row, state.origin_query),
        "same_reason": [],
        "same_count": 0,
        "siblings": [],
        "before": [],
        "worker": "",
        "offset": None,
        "markdown": "",
    }


def _file_values(
    row: Json, reader: PageReader, attempt: int | None, outcomes: Sequence[Outcome], current: Outcome | None
) -> dict[str, Any]:
    """Return the files of an attempt, pictures with those of the last run in which the test passed."""
    artifacts = [with_defaults(artifact) for artifact in json.loads(row["artifacts"] or "[]")]
    contents = stored_contents(reader.connection, hashes_in(row["artifacts"]))
    files = files_of(artifacts, contents, attempt)
    pictures = [file for file in files if file.shown == "picture"]
    if current is not None and current.letter != "p" and pictures:
        pictures = _beside_earlier(pictures, reader, outcomes, current)
    previews = {
        file.hash: preview_of(part_of(reader.connection, file.hash, 0), file.size or 0) for file in previewed(files)
    }
    return {
        "all_files": files,
        "pictures": pictures,
        "videos": [file for file in files if file.shown == "video"],
        "files": [file for file in files if file.shown not in {"picture", "video"}],
        "previews": previews,
    }


def _beside_earlier(
    pictures: Sequence[TestFile], reader: PageReader, outcomes: Sequence[Outcome], current: Outcome
) -> list[TestFile]:
    passed = [outcome for outcome in outcomes if outcome.letter == "p" and outcome.run < current.run]
    # Those of the same branch first.
    passed.sort(key=lambda outcome: (outcome.branch != current.branch, -outcome.run))
    passed = passed[:_EARLIER_PICTURES]
    stored = reader.artifacts([outcome.result for outcome in passed])
    contents = stored_contents(reader.connection, {hash_ for text in stored.values() for hash_ in hashes_in(text)})
    by_name: dict[str, tuple[TestFile, int]] = {}
    for outcome in passed:
        artifacts = [with_defaults(artifact) for artifact in json.loads(stored.get(outcome.result, "[]"))]
        for file in files_of(artifacts, contents, None):
            if file.shown == "picture":
                by_name.setdefault(file.name, (file, outcome.run))
    return [
        replace(picture, earlier=by_name[picture.name][0], earlier_run=by_name[picture.name][1])
        if picture.name in by_name
        else picture
        for picture in pictures
    ]


def _output_values(outputs: Sequence[Output], state: TestState) -> dict[str, Any]:
    """Return the captured output: all streams by name, and the lines of the chosen one."""
    chosen = next((output for output in outputs if output.stream == state.stream), outputs[0] if outputs else None)
    return {
        "outputs": outputs,
        "stream": chosen.stream if chosen else "",
        "output": terminal_lines(chosen.value, chosen.spans) if chosen else None,
    }


def _history_values(
    outcomes: Sequence[Outcome], current: Outcome | None, state: TestState, kind: Mine | None = None
) -> dict[str, Any]:
    """Return sentence, drawing and evidence of the test's history; nothing if this result is older than all of it."""
    if current is None:
        return {
            "sentence": (), "chart": None, "branches": [], "reliability": None, "flakiness": None, "evidence": "",
            "usual": None,
        }  # fmt: skip
    on_branch = [outcome for outcome in outcomes if outcome.branch == current.branch]
    usual = history.usual_duration(outcomes, current)
    place = on_branch.index(current)
    flakiness = history.flakiness_on(outcomes, current.branch)
    return {
        "sentence": history.sentence(outcomes, current.result, kind),
        "current": current,
        "chart": history.chart(outcomes if state.has_all_branches else on_branch, current, usual),
        "branches": [row for row in history.branch_histories(outcomes) if row.branch != current.branch][:_OTHERS],
        "reliability": history.reliability(outcomes),
        "flakiness": flakiness,
        "evidence": _evidence(flakiness),
        "usual": usual,
        "earlier": on_branch[place + 1] if place + 1 < len(on_branch) else None,
        "later": on_branch[place - 1] if place else None,
    }


def _evidence(flakiness: Flakiness) -> str:
    """Return in words why a test counts as flaky or broken; empty for one that does not."""
    if flakiness.state == "broken":
        return "it fails in each of its last runs"
    return flaky_evidence(flaky_state(flakiness)) if flakiness.state in {"flaky", "suspect"} else ""


def _related_values(row: Json, reader: PageReader) -> dict[str, Any]:
    """Return other tests of the run: of the same reason, with other parameters, those before it."""
    same_reason, same_count = reader.same_reason(row)
    return {
        "same_reason": same_reason,
        "same_count": same_count,
        "siblings": [
            {
                **sibling,
                "status": STATUSES_SHOWN[sibling["status"]],
                "parameters": sibling["name"].partition("[")[2][:-1],
            }
            for sibling in reader.siblings(row)
        ],
        "before": [{**other, "status": STATUSES_SHOWN[other["status"]]} for other in reader.before(row)],
    }


def _worker_values(row: Json, run: Json, common: CommonValues) -> dict[str, Any]:
    """Return the worker that ran the test, and how long after the begin of the run that was, in microseconds."""
    reader, number = common.reader, row["thread"]
    thread = common.once(("thread", number), partial(reader.thread, number))
    fields = common.once(("thread fields", number), partial(reader.thread_fields, number))
    started = extensions.start_time(thread, row)
    # The run of a session is created a moment after the session began.
    begun = min(run["created"], thread["session_started"] or run["created"])
    name = view_models.worker_name(fields) or f"thread {thread['position']}"
    return {
        # Pytest's own process needs no name if it is alone: it would read like a branch.
        "worker": "" if name == MAIN_WORKER and run["thread_count"] == 1 else name,
        "offset": None if started is None else max(0, started - begun),
    }


def _markdown(row: Json, fields: Sequence[Json], values: Mapping[str, Any]) -> str:
    """Return the failure as Markdown; empty for a test that did not fail."""
    cause = next((field for field in fields if field.get("is_highlight") and field["name"] != "Skipped"), None)
    if cause is None:
        return ""
    place = "" if not row["file"] else f"{row['file']}:{row['line']}" if row["line"] else str(row["file"])
    return failure_markdown(
        ReportedFailure(
            ".".join(part for part in (row["folder"], row["name"]) if part),
            str(cause["value"]),
            cause["meta"].get("message", ""),
            cause["meta"].get("type", ""),
            place,
            "".join(piece.text for piece in values["sentence"]),
            values["command"] or "",
            comparison=extensions.comparison(row),
        )
    )


_CALENDAR: Final = 200
_BRANCHES: Final = 20
_REASONS: Final = 20


class CasePage(Page):
    """One test across runs."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, case_id: int) -> None:
        """Show the test's outcomes by branch."""
        branch = req.get_param("branch")
        self.show(req, resp, "test/case.html", **self.read(partial(case_values, case_id, branch)))


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """A reason for which the test failed: its message, how often, its first and its last run of those shown."""

    message: str
    count: int
    first: Outcome
    last: Outcome


def case_values(case_id: int, branch: str | None, reader: PageReader) -> dict[str, Any]:
    """Return the values of the template ``test/case.html``."""
    case = reader.case(case_id)
    rows = reader.history(case_id)
    outcomes = history.outcomes_of(rows)[:_CALENDAR]
    # The branch with most outcomes comes first.
    branches = sorted(history.branch_histories(outcomes), key=lambda row: (-len(row.outcomes), row.branch))[:_BRANCHES]
    chosen = next((row for row in branches if row.branch == branch), branches[0] if branches else None)
    on_branch = [] if chosen is None else chosen.outcomes
    newest = rows[0] if rows else None
    return {
        "case": case,
        "source": {"id": case["source"], "name": reader.source_name(case["source"])},
        "newest": newest,
        "function": split_name(newest["name"] if newest else case["key"]),
        "outcomes": outcomes,
        "is_whole": len(rows) < HISTORY_ROWS,
        "branches": branches,
        "chosen": chosen,
        "durations": duration_line(on_branch),
        "usual": history.usual_duration(on_branch[1:], on_branch[0]) if len(on_branch) > 1 else None,
        "reliability": history.reliability(outcomes),
        "reasons": reason_rows(outcomes),
        "sentence": _newest_sentence(reader, outcomes, on_branch[0]) if on_branch else (),
    }


def _newest_sentence(reader: PageReader, outcomes: Sequence[Outcome], newest: Outcome) -> Sequence[Piece]:
    return history.sentence(outcomes, newest.result, _kinds(reader, newest.run).get(newest.result))


def duration_line(outcomes: Sequence[Outcome]) -> list[float | None]:
    """Return the durations of runs that passed, oldest first, in seconds; None where a run did not pass."""
    return [
        outcome.elapsed / 1_000_000 if outcome.letter in "pr" and outcome.elapsed is not None else None
        for outcome in reversed(outcomes)
    ]


def reason_rows(outcomes: Sequence[Outcome]) -> list[ReasonRow]:
    """Return the reasons for which the test failed, those of most runs first."""
    failed = [outcome for outcome in outcomes if outcome.letter == "f"]
    counts = Counter(outcome.fingerprint for outcome in failed)
    rows = []
    for fingerprint, count in counts.most_common(_REASONS):
        own = [outcome for outcome in failed if outcome.fingerprint == fingerprint]
        rows.append(ReasonRow(own[0].message, count, own[-1], own[0]))
    return rows
