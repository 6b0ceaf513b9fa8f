"""The changes of a run since its base, and its details: where it ran, whether everything arrived, threads and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_automation_report.api.models import COLLECTED_FIELD, DESELECTED_FIELD, NOT_RUN_FIELD, WORKER_FIELD, Json
from pytest_automation_report.findings.sentences import commit_text
from pytest_automation_report.findings.times import factor
from pytest_automation_report.server.pages.words import (
    OUTCOME_TONES,
    RUN_WORDS,
    attached,
    counts_of,
    files_in,
    parts_of,
    tests_and_files,
)
from pytest_automation_report.server.store.overview import natural_key
from pytest_automation_report.text.limits import SHORT_COMMIT, duration, quantity
from pytest_automation_report.text.node_ids import split_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_automation_report.findings.documents import RunFindings, RunMention
    from pytest_automation_report.findings.verdict import RunNumbers
    from pytest_automation_report.server.pages.run.facts import RunFacts
    from pytest_automation_report.server.pages.urls import RunState

_NOT_THERE: Final = "not there"


class _List(NamedTuple):
    """A list of findings by its name in the document, with the ink of its count."""

    name: str
    ink: str = ""
    before: str = _NOT_THERE  # what its tests did in the base
    after: str = ""  # what they do now
    is_always: bool = False  # its count is shown also if it is 0
    is_folded: bool = False  # parameters of one function that changed alike are one row

    @property
    def word(self) -> str:
        return self.name.replace("_", " ")


_LISTS: Final = (
    _List("newly_failing", "fail-ink", "passed", "failed", is_always=True, is_folded=True),
    _List("fixed", "pass-ink", "failed", "passed", is_always=True),
    _List("passed_again", "pass-ink", "failed", "passed"),
    _List("still_failing", "", "failed", "failed", is_always=True),
    _List("slower", "flaky-ink", is_always=True),
    _List("faster"),
    _List("new_tests", is_always=True, is_folded=True),
    _List("gone", "", "there", "gone", is_always=True, is_folded=True),
    _List("newly_skipped", "", "ran", "skipped", is_folded=True),
    _List("not_run", "", "there", "not run", is_folded=True),
)


def changes_of(
    findings: RunFindings, state: RunState, histories: Callable[[int], str], cases: Mapping[int, int]
) -> Json:
    """Return the counts and the lists; ``cases`` has the case of each result, ``histories`` the letters of a case."""
    counts = findings["counts"]
    chosen = state.changes or {each.name for each in _LISTS if each.name != "still_failing"}
    reasons = {reason["fingerprint"]: reason["title"] for reason in findings["reasons"]}
    moves = [
        {
            "word": each.word,
            "ink": each.ink if counts[each.name] else "",
            "count": counts[each.name],
            "is_on": each.name in state.changes,
            "address": state.to(changes=frozenset({each.name} if state.changes != {each.name} else ())).address,
        }
        for each in _LISTS
        if each.is_always or counts[each.name]
    ]
    # A list alone has more tests than those on the view of all changes.
    most = 200 if state.changes else 50
    lists = []
    for each in _LISTS:
        name, entries = each.name, entries_of(findings, each.name)
        if name not in chosen or not entries:
            continue
        rows = [_row(each, entry, reasons, histories, cases) for entry in entries]
        if name == "newly_failing":
            new_tests = {entry["key"] for entry in entries_of(findings, "new_tests")}
            for row, entry in zip(rows, entries, strict=True):
                if entry["key"] in new_tests:
                    row["before"] = _NOT_THERE
                elif row["result"] in cases and histories(cases[row["result"]])[-2:-1] == "s":
                    row["before"] = "skipped"
        rows = _folded(rows) if each.is_folded else rows
        for row in rows[:most]:
            row["href"] = state.result(row["result"]) if row["result"] else ""
        one = frozenset({name})
        # Tests that are gone have no result in this run.
        list_state = state.to(changes=one) if name in {"gone", "not_run"} else state.at("tests", changes=one)
        lists.append(
            {
                "heading": each.word.capitalize() + (", known to be flaky" if name == "passed_again" else ""),
                "note": _note(name, counts[name], tests_and_files(counts[name], files_in(entries)), rows),
                "rows": rows[:most],
                "rest": max(0, len(rows) - most),
                "address": list_state.address,
            }
        )
    return {"moves": moves, "lists": lists}


def failing_runs(letters: str) -> int:
    """Return the number of failed runs before the last one, back to the last passed one."""
    failed = 0
    for letter in reversed(letters[:-1]):
        if letter in "pr":
            break
        failed += letter == "f"
    return failed


def entries_of(findings: RunFindings, name: str) -> Sequence[Mapping[str, Any]]:
    """Return the tests of a list of findings; ``new``, ``back`` and ``known`` are those failures of that kind."""
    if name in {"new", "back", "known"}:
        failing = (*findings["tests"]["newly_failing"], *findings["tests"]["still_failing"])
        return [entry for entry in failing if entry["kind"] == name]
    if name == "slower":
        return findings["slower"]
    return findings["faster"] if name == "faster" else findings["tests"][name]


def _row(
    kind: _List,
    entry: Mapping[str, Any],
    reasons: Mapping[str, str],
    histories: Callable[[int], str],
    cases: Mapping[int, int],
) -> Json:
    name, result, status = kind.name, entry["result"], entry.get("status") or ""
    row: Json = {
        "result": result,
        "short": split_name(entry["name"]),
        "folder": entry["folder"],
        "about": reasons.get(entry.get("fingerprint") or "", "") or entry["folder"],
        "reason": entry.get("fingerprint"),
        "tone": OUTCOME_TONES.get(status, "pass"),
        "before": kind.before,
        "after": kind.after or status,
        "note": "",
        "note_ink": "",
        "count": 1,
    }
    if name in {"slower", "faster"}:
        row |= {
            "before": duration(entry["median"]),
            "after": duration(entry["elapsed"]),
            "note": f"{factor(entry['ratio'])} {since_words(entry['since'])}",
            "note_ink": "up" if name == "slower" else "down",
        }
    elif name == "gone":
        row["tone"] = "idle"
    elif name == "fixed" and result is not None and result in cases:
        failed = failing_runs(histories(cases[result]))
        row["note"] = (
            "had failed once" if failed == 1 else f"had failed for {quantity(failed, 'run')}" if failed else ""
        )
    elif name == "still_failing" and entry["since"]:
        row["note"] = f"since #{entry['since']['run']}"
    return row


def since_words(since: RunMention | None) -> str:
    """Return the run and commit with which something began; nothing without one."""
    if since is None:
        return ""
    commit = commit_text(since["commit"], since["changes"])
    return f"since #{since['run']}{f' ({commit})' if commit else ''}"


def _folded(rows: Sequence[Json]) -> list[Json]:
    """Return tests by function, reason and change: parameters of one function that changed alike are one row."""
    groups: dict[tuple[Any, ...], list[Json]] = {}
    for row in rows:
        change = row["reason"], row["before"], row["after"]
        groups.setdefault((row["folder"], row["short"].function, *change), []).append(row)
    folded = []
    for members in groups.values():
        row = members[0]
        if len(members) > 1:
            names = sorted((member["short"].parameters for member in members), key=natural_key)
            row = {**row, "count": len(members), "note": quantity(len(members), "test"), "range": (names[0], names[-1])}
        folded.append(row)
    return sorted(folded, key=lambda row: -row["count"])


def _note(name: str, count: int, counted: str, rows: Sequence[Json]) -> str:
    if name in {"slower", "faster"}:
        return "this run beside the usual duration; a slower or faster machine does not count"
    named = sum(row["count"] for row in rows)
    if name == "not_run" and named != count:
        some = f"{named:,} of them by name" if named < count else f"among these {named:,} tests of the base"
        return f"{counted}, {some}"
    reasons = {row["reason"] for row in rows if row["reason"]} if name == "newly_failing" else ()
    return f"{counted}, {quantity(len(reasons), 'reason')}" if reasons else counted


def commits_since(text: str, base_commit: str | None) -> list[Json]:
    """Return the commits of a run since its base, newest first; none if the base's is not a line of ``text``."""
    commits: list[Json] = []
    for line in text.splitlines():
        commit, _, subject = line.strip().partition(" ")
        if commit and base_commit and (base_commit.startswith(commit) or commit.startswith(base_commit)):
            return commits
        if commit:
            commits.append({"hash": commit[:SHORT_COMMIT], "subject": subject})
    return []


def changed_software(before: Callable[[str], str], after: Callable[[str], str]) -> list[Json]:
    """Return what differs between two runs: interpreter, system, packages; the functions return a field of each."""
    changed = [
        {"name": name, "before": before(name), "after": after(name)}
        for name in ("Python", "OS")
        if before(name) and after(name) and before(name) != after(name)
    ]
    # Without a list of all packages pytest's plugins are compared.
    names = ("Packages",) if before("Packages") and after("Packages") else ("pytest", "Plugins")
    old, new = (_versions([(name, value(name)) for name in names]) for value in (before, after))
    # Clients send 16,384 characters: a list that was cut at its end shows nothing of the packages after it.
    is_cut = any(len(value("Packages")) > 16_000 for value in (before, after))  # noqa: PLR2004 - as said
    packages = old.keys() & new.keys() if is_cut else old.keys() | new.keys()
    if old and new:
        changed += [
            {"name": name, "before": old.get(name, ""), "after": new.get(name, "")}
            for name in sorted(packages)
            if old.get(name) != new.get(name)
        ]
    return changed


def _versions(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    versions: dict[str, str] = {}
    for field_name, value in fields:
        for part in value.replace(", ", "\n").split("\n"):
            name, blank, version = part.rpartition(" ")
            if blank:
                versions[name.lower()] = version
            elif version:
                versions[field_name.lower()] = version
    return versions


_ATTACHMENTS_SHOWN: Final = 200
_SHOWN_APART: Final = frozenset(
    {"Branch", "Commit", "Commit subject", "Commits", "Packages", COLLECTED_FIELD, DESELECTED_FIELD, NOT_RUN_FIELD}
)
_RAIL_FIELDS: Final = ("Python", "pytest", "Platform", "Machine", "CI")


def where_it_ran(facts: RunFacts) -> list[tuple[str, str]]:
    """Return the few facts of the rail."""
    shown = [(name, value) for name in _RAIL_FIELDS if (value := facts.field(name))]
    collected = _collected(facts)
    return [*shown, *([] if collected is None else [(COLLECTED_FIELD, _arrived(facts.counts, collected))])]


def details_of(facts: RunFacts) -> Json:
    """Return the values of the view of the details."""
    record, counts = facts.record, facts.counts
    fields = attached(record, "fields")
    collected = _collected(facts)
    threads = [_thread(facts, row) for row in record.threads]
    return {
        "fields": [field for field in fields if field["name"] not in _SHOWN_APART][:_ATTACHMENTS_SHOWN],
        "packages": facts.field("Packages").splitlines(),
        "artifacts": attached(record, "artifacts")[:_ATTACHMENTS_SHOWN],
        "links": attached(record, "links"),
        "threads": threads,
        "hidden_threads": max(0, record.row["thread_count"] - len(threads)),
        "expected": collected,
        "reported": counts.finished,
        "is_complete": collected == counts.finished,
        "not_run": counts.not_run,
    }


def _collected(facts: RunFacts) -> int | None:
    """Return the number of collected tests; at least the number of results if some threads are not read."""
    record = facts.record
    is_whole = record.row["thread_count"] <= len(record.threads)
    return facts.collected if is_whole else facts.counts.collected


def _arrived(counts: RunNumbers, collected: int) -> str:
    missing = collected - counts.finished if counts.is_open else counts.not_run - counts.lost
    if collected < counts.finished:
        # Of modules that cannot be collected, or several of one test: nothing says how many tests these results are of.
        return f"{collected:,}, {quantity(counts.finished, 'result')}"
    if not missing:
        return f"{collected:,}, all reported"
    if counts.is_open:
        return f"{collected:,}, {missing:,} to come"
    return f"{collected:,}, {missing:,} did not run"


def _thread(facts: RunFacts, row: Mapping[str, Any]) -> Json:
    word, tone = RUN_WORDS.get(row["status"], ("Unknown", "idle"))
    observed = row["elapsed_observed"]
    name = facts.worker(row["id"]) or f"worker {row['position']}"
    # The name may be the worker's own, or its job's.
    fields = [field for field in attached(facts.record, "fields", row["id"]) if field["value"] != name]
    return {
        "name": name,
        "word": word,
        "tone": tone,
        "parts": parts_of(counts_of(row)),
        "total": row["total_count"],
        "elapsed": row["elapsed_computed"] if observed is None else observed,
        "fields": [field for field in fields if field["name"] != WORKER_FIELD],
        "artifacts": attached(facts.record, "artifacts", row["id"]),
    }
