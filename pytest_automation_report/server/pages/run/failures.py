"""Read the failures of a run for its page: by reason, by file or as one list; flaky and slower tests beside them."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.failures.reading import ReportedFailure, coloured, failure_markdown, is_in_package
from pytest_automation_report.failures.tracebacks import CodeLine, Frame, Raised, one_line, parse_traceback
from pytest_automation_report.findings.fingerprints import MASK, masked
from pytest_automation_report.findings.flakiness import evidence_words
from pytest_automation_report.findings.matrix import MOST_VALUES, TEST, Axis, Outcome, by_branch, matrix_of
from pytest_automation_report.server.pages.drawings import TONES, merged_letters, reduced_cells, strip_of
from pytest_automation_report.server.pages.queries import PAGE_ROWS
from pytest_automation_report.server.pages.run.changes import since_words
from pytest_automation_report.server.pages.run.facts import RunFacts, marks_of
from pytest_automation_report.server.pages.urls import RunState, link
from pytest_automation_report.server.pages.words import stored_entries, tests_and_files
from pytest_automation_report.server.store.values import KILLED, RESULT_STATUSES, hexadecimal
from pytest_automation_report.text.limits import quantity
from pytest_automation_report.text.node_ids import (
    MOST_NAMED,
    node_id,
    node_id_of,
    place_of,
    rerun_of,
    run_command,
    split_name,
    title_of,
)
from pytest_automation_report.text.visible import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.documents import RunFindings, TestAxis, TestFamily

    Function: TypeAlias = tuple[str, str, str]

MAX_CARDS: Final = 20  # reasons with a card; the rest are behind a link
_MAX_MEMBERS: Final = 3
# Members of a card whose outcomes are part of its strip, though most stay behind its link.
_MEMBERS_OF_STRIP: Final = 20
_is_respelled: Final = re.compile("#x[0-9A-F]{2}| characters cut").search
_TYPE: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*): ")
_PHASES: Final[Mapping[str, str]] = {
    "setup": "before the test began",
    "teardown": "after the test",
    "collection": "while the tests were collected",
    "crash": "its process died",
    "timeout": "over its time limit",
    "xpass": "was expected to fail",
}


def says_of(title: str, type_name: str = "") -> Json:
    """Return a message in parts: the exception's type, and the text with its variable parts marked."""
    title = plain(title)
    match = _TYPE.match(title)
    if match:
        type_name, title = match[1], title[match.end() :]
    # It shows which parts differ from run to run: its literal pieces stand in the title, in their order.
    mask = plain(masked(title))
    pieces = MASK.split(mask)
    parts: list[tuple[str, bool]] = []
    place = 0
    for number, piece in enumerate(pieces):
        start = title.find(piece, place) if piece else (len(title) if number == len(pieces) - 1 else place)
        if start < 0 or (number == 0 and start > 0):
            # The mask changed more than whole parts: nothing is marked then.
            return {"type": type_name, "parts": [(title, False)]}
        if number and start > place:
            parts.append((title[place:start], True))
        parts.append((piece, False))
        place = start + len(piece)
    if place < len(title):
        parts.append((title[place:], False))
    words = "no message" if type_name else "Failed without a message"
    return {
        "type": type_name.rpartition(".")[2],
        "parts": [part for part in parts if part[0]] or [(title or words, False)],
    }


_LOTS: Final = (
    ("new", "New"),
    ("back", "Back after a while"),
    ("flaky", "Known to be flaky"),
    ("still", "Still failing"),
    ("known", "Known failures"),
    (None, "Running when the process died"),
)


def cards_of(findings: RunFindings, failures: Sequence[Json]) -> list[Json]:
    """Return a card for each reason, in the order of the findings, without what only a shown card has."""
    members: dict[str, list[Json]] = {}
    for row in failures:
        members.setdefault(hexadecimal(row["fingerprint"]), []).append(row)
    tests = findings["tests"]
    newly = Counter(entry["fingerprint"] for entry in tests["newly_failing"])
    has_base = findings["base"] is not None
    flaky = {entry["key"]: entry["state"] for entry in findings["flaky"]}
    cards = []
    for reason in findings["reasons"]:
        fingerprint = reason["fingerprint"]
        is_new = reason["kind"] == "new"
        cards.append(
            {
                **reason,
                "noun": "file" if reason["phase"] == "collection" else "test",
                "is_new": is_new,
                "marks": marks_of(reason["kind"], is_flaky=any(flaky.get(key) == "flaky" for key in reason["keys"])),
                "new_count": 0 if is_new or not has_base else newly[fingerprint],
                "phase_word": _PHASES.get(reason["phase"] or "", ""),
                "place": reason["place"] or "",
                "rows": members.get(fingerprint, []),
            }
        )
    return cards


def lots_of(cards: Sequence[Json], *, has_base: bool) -> list[Json]:
    """Return the lots of cards, by whose their failures are; one lot if there is nothing to compare with."""
    lots = [(kind, name, [card for card in cards if card["kind"] == kind]) for kind, name in _LOTS]
    return [
        {"name": name, "cards": own, "is_new": kind == "new", "counted": _counted(own)}
        for kind, name, own in (lots if has_base else [("", "Failed", cards)])
        if own
    ]


def _counted(cards: Sequence[Json]) -> str:
    files = sum(card["count"] for card in cards if card["noun"] == "file")
    return tests_and_files(sum(card["count"] for card in cards), files)


def _function_of(row: Json) -> Function:
    return row["file"] or "", row["folder"], split_name(row["name"]).function


def _grid_of(rows: Sequence[Json], families: Mapping[Function, TestFamily]) -> Json | None:
    functions = Counter(_function_of(row) for row in rows if row["name"].endswith("]"))
    if not functions:
        return None
    (key, count), *_ = functions.most_common(1)
    family = families.get(key)
    if family is None or count < 2 or count * 2 < len(rows):  # noqa: PLR2004 - one square is no grid
        return None
    own = {row["id"] for row in rows}
    names = {row["id"]: split_name(row["name"]).parameters for row in rows}
    cells = [
        {"id": result, "tone": "fail" if result in own else TONES[kind], "name": names.get(result, "")}
        for result, kind in family["cells"]
    ]
    first, last = (names.get(cells[place]["id"], "") for place in (0, -1))
    return {
        "node": node_id(*key) or title_of(key[1], key[2]),
        "failed": count,
        "count": family["count"],
        "range": f"{first} to {last}" if first and last and len(cells) == family["count"] else "",
        **reduced_cells(cells),
    }


def _matrix_of(rows: Sequence[Json], families: Mapping[Function, TestFamily]) -> Json | None:
    """Return the tests of a reason's functions by what tells the failed ones; None if nothing does, or squares do."""
    counts = Counter(_function_of(row) for row in rows)
    known = {key: families[key] for key, _ in counts.most_common() if key in families and families[key]["axes"]}
    if not known or 2 * sum(counts[key] for key in known) < len(rows):
        return None
    shared = set.intersection(*({_axis(axis) for axis in family["axes"]} for family in known.values()))
    if not shared:
        known = dict(list(known.items())[:1])
    functions = Axis(TEST, tuple(title_of(*key[1:]) for key in known))
    tests = []
    for name, family in zip(functions.values, known.values(), strict=True):
        axes = {_axis(axis): axis["of"] for axis in family["axes"] if len(known) == 1 or _axis(axis) in shared}
        for place, (result, kind) in enumerate(family["cells"]):
            own = {axis: axis.values[of[place]] for axis, of in axes.items()}
            if 1 < len(known) <= MOST_VALUES:
                own[functions] = name
            if kind != "sk":
                tests.append(Outcome(result, kind == "fa", own))
    found = matrix_of(tests)
    if found is None or (found.columns is None and not found.rows.name and len(known) == 1):
        return None
    columns = found.columns.values if found.columns else ()
    cells = [(row, [_cell(found.cell(row, column)) for column in columns]) for row in found.rows.values]
    return {"sentence": found.sentence(), "columns": columns, "rows": cells}


def _axis(axis: TestAxis) -> Axis:
    return Axis(axis["name"], tuple(axis["values"]))


def _cell(tests: Sequence[Outcome]) -> Json:
    failed = sum(test.is_failed for test in tests)
    return {
        "tone": "fail" if failed == len(tests) else "flaky" if failed else "pass",
        "words": f"{failed:,} of {len(tests):,} failed",
        "count": len(tests),
        "result": tests[0].result if len(tests) == 1 else None,
    }


_FLAKY_SHOWN: Final = 50
_KNOWN_FLAKY_SHOWN: Final = 20


class FailureCards:
    """The failures of one run."""

    def __init__(self, facts: RunFacts, state: RunState) -> None:
        self._facts = facts
        self._state = state
        self._reader = facts.reader

    @cached_property
    def cards(self) -> list[Json]:
        """A card for each reason."""
        return cards_of(self._facts.findings, self._facts.failures)

    def texts(self, site: str) -> list[str]:
        """Return the reasons as Markdown, each with one of its tests; ``site`` is the address of the pages."""
        cards = [card for card in self.cards[:MAX_CARDS] if card["rows"]]
        texts = self._texts([card["rows"][0]["id"] for card in cards])
        sections: list[str] = []
        for card in cards:
            row = card["rows"][0]
            text = texts.get(row["id"], {"text": "", "type": ""})
            more = card["count"] - 1
            sentence = f"And {quantity(more, 'more test')} for the same reason." if more else ""
            failure = ReportedFailure(
                node_id(row["file"], row["folder"], row["name"]) or title_of(row["folder"], row["name"]),
                text["text"],
                row["message"] or "",
                text["type"],
                card["place"],
                sentence,
                self._command(card),
                f"{site}{link('result', row['id'])}",
                file=row["file"] or "",
            )
            sections.append(failure_markdown(failure))
        return sections

    def by_reason(self) -> Json:
        """Return the lots of cards; the first card is open, and has the code of its failure."""
        first = (self._state.page - 1) * MAX_CARDS
        shown = self.cards[first : first + MAX_CARDS]
        rest = self.cards[first + MAX_CARDS :]
        self._complete(shown)
        has_base = self._facts.base is not None
        lots = lots_of(shown, has_base=has_base)
        # The card that a reader needs first is open.
        for number, card in enumerate(card for lot in lots for card in lot["cards"]):
            card["is_open"] = number == 0
        return {
            "lots": lots,
            "rest": {"reasons": len(rest), "tests": sum(card["count"] for card in rest)} if rest else None,
        }

    def listed(self, *, by_file: bool) -> Json:
        """Return the failures by file, or as one list in the order of their arrival; at most a page of them."""
        # With a heading for each file there are fewer.
        rows = self._facts.failures[: 100 if by_file else PAGE_ROWS]
        self._facts.histories.load(row["case"] for row in rows)
        groups: dict[str, list[Json]] = {}
        for row in rows:
            groups.setdefault((row["file"] or row["folder"] or "(no file)") if by_file else "", []).append(row)
        files = sorted(groups.items(), key=lambda item: -len(item[1]))
        return {
            "groups": [{"file": file, "rows": self._members(members)} for file, members in files],
            "hidden": max(0, self._facts.row["failure_count"] - len(rows)),
        }

    def _complete(self, shown: Sequence[Json]) -> None:
        self._facts.histories.load(row["case"] for card in shown for row in card["rows"][:_MEMBERS_OF_STRIP])
        texts = self._texts([card["rows"][0]["id"] for card in shown if card["rows"]])
        families = {(each["file"], each["folder"], each["function"]): each for each in self._facts.overview["families"]}
        tests = (
            (row["case"], row["fingerprint"])
            for card in shown
            for row in card["rows"][:_MEMBERS_OF_STRIP]
            if row["fingerprint"] != KILLED
        )
        elsewhere = self._reader.by_branch(tests, self._reader.other_branches(self._facts.row) if shown else {})
        for card in shown:
            rows = card["rows"]
            histories = (self._facts.histories.letters(row["case"]) for row in rows[:_MEMBERS_OF_STRIP])
            card["strip"] = strip_of(merged_letters(histories), has_now=True) if rows else None
            card["grid"] = _grid_of(rows, families)
            card["matrix"] = _matrix_of(rows, families)
            card["branches"] = self._branches(rows[0], elsewhere) if rows else ()
            card["command"] = self._command(card)
            card["members"] = self._members(rows[:_MAX_MEMBERS])
            text = texts.get(rows[0]["id"]) if rows else None
            message = says_of(card["title"]) if text is None else says_of(rows[0]["message"] or "", text["type"])
            card.update(says=message, **_code(card["place"], rows[0] if rows else None, text, message))

    def _branches(
        self, row: Json, elsewhere: Mapping[int, Mapping[str, tuple[int, bool]]]
    ) -> Sequence[tuple[str, str]]:
        """Return on which branches a reason is, and on which its tests pass; nothing if they pass on none."""
        others = elsewhere.get(row["fingerprint"], {})
        if all(is_failed for _, is_failed in others.values()):
            return ()
        return by_branch({self._facts.row["branch"]: (row["id"], True), **others}).sentence()

    def _command(self, card: Json) -> str:
        """Return the command that runs the tests of a reason; empty if no command runs all of them."""
        rows, count = card["rows"], card["count"]
        # Pytest knows such a test by another name, which stands in a field.
        respelled = [row["id"] for row in rows[:MOST_NAMED] if _is_respelled(row["name"])]
        found = self._reader.fields(respelled) if respelled else ()
        fields = {row["id"]: stored_entries(row["fields"]) for row in found}
        ids = (node_id_of(row, fields.get(row["id"], ())) for row in rows)
        has_all = len(card["keys"]) == count
        return run_command(ids, count, rerun_of(self._facts.row["id"], card["fingerprint"]) if has_all else "")

    def _texts(self, result_ids: Sequence[int]) -> dict[int, Json]:
        texts: dict[int, Json] = {}
        for row in self._reader.fields(result_ids):
            fields = stored_entries(row["fields"])
            with_message = (field for field in fields if field["meta"].get("message"))
            cause = next((field for field in fields if field.get("is_highlight")), None) or next(with_message, None)
            if cause is not None:
                type_name = cause["meta"].get("type") or ""
                texts[row["id"]] = {"text": str(cause["value"]), "type": str(type_name)}
        return texts

    def _members(self, rows: Iterable[Json]) -> list[Json]:
        return [{**self._facts.listed(row), "href": self._state.result(row["id"])} for row in rows]

    def flaky(self) -> Json:
        """Return the tests that passed after a failed attempt, and the passed ones that are flaky by their history."""
        overview = self._facts.overview["flaky"]
        flaky = (entry for entry in self._facts.findings["flaky"] if entry["state"] == "flaky")
        states = {entry["result"]: entry for entry in flaky}
        tried = overview["results"][:_FLAKY_SHOWN]
        rows = self._reader.rows_of([*tried, *filter(None, states)])
        passed = {status.id for status in RESULT_STATUSES.values() if status.is_passed}
        known = [row for row in rows.values() if not row["failed_attempts"] and row["status"] in passed]
        shown = [*(rows[result] for result in tried if result in rows), *known[:_KNOWN_FLAKY_SHOWN]]
        self._facts.histories.load(row["case"] for row in shown)
        members = self._members(shown)
        for member in members:
            entry, attempts = states.get(member["id"]), (member["failed_attempts"] or 0) + 1
            said = [f"passed on attempt {attempts} of {attempts}"] if attempts > 1 else []
            member["about"] = "; ".join([*said, *([evidence_words(entry)] if entry else [])])
        return {
            "count": overview["count"],
            "known": len(known),
            "rows": members,
            "hidden": max(0, overview["count"] - len(tried)),
            "known_hidden": len(known[_KNOWN_FLAKY_SHOWN:]),
        }

    def slower(self) -> list[Json]:
        """Return the tests that got slower."""
        entries = self._facts.findings["slower"][:10]
        rows = self._reader.rows_of(entry["result"] for entry in entries if entry["result"])
        self._facts.histories.load(row["case"] for row in rows.values())
        known = [entry for entry in entries if entry["result"] in rows]
        members = self._members(rows[entry["result"] or 0] for entry in known)
        return [
            {**member, "median": entry["median"], "now": entry["elapsed"], "since": since_words(entry["since"])}
            for member, entry in zip(members, known, strict=True)
        ]


def _code(place: str, row: Json | None, text: Json | None, message: Json) -> Json:
    """Return the code that raised, and where it is; a message that says nothing becomes that line."""
    function = "" if row is None else split_name(row["name"]).function
    file = place
    if row is not None and row["line"] is not None and place:
        place = f"{place}:{row['line']}"
    frame = None if text is None else code_frame(parse_traceback(text["text"], file))
    if frame is None:
        return {"frame": None, "at": {"place": place, "function": function, "depth": 0}}
    text_of_message = "".join(part for part, _ in message["parts"])
    # Where a message is no more than that an assertion failed, the line of code says which.
    says_nothing = {message["type"], "no message", "assert False", "assert None", "assert not True"}
    if frame["hit"] and text_of_message in says_nothing:
        message["parts"] = [(frame["hit"], False)]
    return {"frame": frame, "at": {"place": frame["place"], "function": frame["function"], "depth": frame["depth"]}}


_LINES_BEFORE, _LINES_AFTER = 4, 3
# Lines above those that show whether they begin inside of a docstring.
_LINES_ABOVE: Final = 100
_ERROR_LINES: Final = 10
_LINE_LENGTH: Final = 240


def code_frame(exceptions: Sequence[Raised]) -> Json | None:
    """Return the innermost frame in the user's code with the lines of the exception; None without any code."""
    if not exceptions or not exceptions[0].frames:
        return None
    raised = exceptions[0]
    frames = [frame for frame in raised.frames if frame.code] or list(raised.frames)
    own = [frame for frame in frames if not is_in_package(frame.path)]
    frame = (own or frames)[-1]
    before, lines = _shown(frame)
    texts = [line.text for line in lines]
    # With one end of a docstring among them, code would be coloured as text and the text as code.
    is_torn = any("\n".join(texts).count(quotes) % 2 for quotes in ('"""', "'''"))
    tokens = coloured([*(line.text for line in before), *texts])[len(before) :] if is_torn else coloured(texts)
    # Calls of the same function around it.
    depth = sum(1 + other.repeats for other in raised.frames if other.function == frame.function)
    members = raised.remark.split("\n") if raised.remark.lstrip().startswith("+-") else []
    errors = [line[:_LINE_LENGTH] for line in (*raised.lines, *members) if line.strip()]
    if len(errors) > _ERROR_LINES:
        # Notes stand at the end, such as the example of hypothesis that fails.
        left = f"… {len(errors) - _ERROR_LINES + 1} more lines"
        errors = [*errors[: _ERROR_LINES // 2 - 1], left, *errors[-_ERROR_LINES // 2 :]]
    return {
        "place": place_of(frame.path, frame.line),
        "function": frame.function,
        "depth": depth if depth > 2 else 0,  # noqa: PLR2004 - a function that calls itself once is nothing special
        "lines": [
            {"number": line.number, "is_hit": line.is_hit, "tokens": parts}
            for line, parts in zip(lines, tokens, strict=True)
        ],
        "errors": errors,
        "hit": one_line(lines),
    }


def _shown(frame: Frame) -> tuple[Sequence[CodeLine], list[CodeLine]]:
    hits = [place for place, line in enumerate(frame.code) if line.is_hit]
    place = hits[-1] if hits else len(frame.code) - 1
    first = max(0, place - _LINES_BEFORE)
    around = frame.code[first : place + 1 + _LINES_AFTER]
    return frame.code[max(0, first - _LINES_ABOVE) : first], [
        line if len(line.text) <= _LINE_LENGTH else type(line)(line.number, f"{line.text[:_LINE_LENGTH]}…", line.is_hit)
        for line in around
    ]
