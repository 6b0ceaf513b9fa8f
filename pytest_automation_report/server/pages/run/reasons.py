"""Failures by reason: the lots New, Failing before and Flaky, with one card for each reason."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from pytest_automation_report.findings.fingerprints import masked
from pytest_automation_report.server.pages.drawings import TONES, merged_letters, reduced_cells, strip_of
from pytest_automation_report.server.pages.run.facts import marks_of
from pytest_automation_report.server.pages.words import plain
from pytest_automation_report.server.store.values import hexadecimal
from pytest_automation_report.text.terminal import node_id, run_command, split_name, title_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.documents import RunFindings, RunOverview, TestFamily

    Function: TypeAlias = tuple[str, str, str]

MAX_CARDS: Final = 20
"""Reasons with a card; the rest are behind a link."""

MAX_MEMBERS: Final = 3
"""Tests that an open card lists; the rest are behind a link."""

MEMBERS_OF_STRIP: Final = 20
"""Members of a card whose outcomes are part of its strip, though most stay behind its link."""

_MAX_COMMAND_TESTS: Final = 5
_MASK: Final = re.compile(r"<[a-z]+>")
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
    """Return a message in parts: the exception's type, and the text with its variable parts marked.

    The mask shows which parts differ from run to run: its literal pieces stand in the title, in their order.
    """
    title = plain(title)
    match = _TYPE.match(title)
    if match:
        type_name, title = match[1], title[match.end() :]
    mask = plain(masked(title))
    pieces = _MASK.split(mask)
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
    return {
        "type": type_name.rpartition(".")[2],
        "parts": [part for part in parts if part[0]] or [(title or _no_words(type_name), False)],
    }


def _no_words(type_name: str) -> str:
    return "no message" if type_name else "Failed without a message"


_LOTS: Final = (
    ("new", "New"),
    ("back", "Back after a while"),
    ("flaky", "Known to be flaky"),
    ("still", "Failing before"),
)


def cards_of(findings: RunFindings, failures: Sequence[Json]) -> list[Json]:
    """Return a card for each reason, those of most tests first, without what only a card that is shown has."""
    members: dict[str, list[Json]] = {}
    for row in failures:
        if row["fingerprint"] is not None:
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
                "fingerprint": fingerprint,
                "count": reason["count"],
                "noun": "file" if reason["phase"] == "collection" else "test",
                "messages": reason["messages"],
                "is_new": is_new,
                "kind": reason["kind"],
                "marks": marks_of(reason["kind"], is_flaky=any(flaky.get(key) == "flaky" for key in reason["keys"])),
                "new_count": 0 if is_new or not has_base else newly[fingerprint],
                "newly": newly[fingerprint],
                "since": reason["since"],
                "first": reason["first"],
                "title": reason["title"],
                "phase_word": _PHASES.get(reason["phase"] or "", ""),
                "place": reason["place"] or "",
                "rows": members.get(fingerprint, []),
            }
        )
    return cards


def drawings_of(card: Json, letters: Callable[[int], str], families: Mapping[Function, TestFamily]) -> Json:
    """Return strip and grid of a card; ``letters`` returns the history of a case."""
    rows = card["rows"]
    histories = (letters(row["case"]) for row in rows[:MEMBERS_OF_STRIP])
    strip = strip_of(merged_letters(histories), has_now=True) if rows else None
    return {"strip": strip, "grid": _grid_of(rows, families)}


def families_of(overview: RunOverview) -> dict[Function, TestFamily]:
    """Return the parametrized functions of a run by their file, folder and name."""
    return {(family["file"], family["folder"], family["function"]): family for family in overview["families"]}


def lots_of(cards: Sequence[Json], *, has_base: bool) -> list[Json]:
    """Return the lots of cards, by whose their failures are; one lot if there is nothing to compare with."""
    if not has_base:
        return [{"name": "Failed", "cards": list(cards), "is_new": False}] if cards else []
    lots: list[Json] = [
        {"name": name, "cards": [card for card in cards if card["kind"] == kind], "is_new": kind == "new"}
        for kind, name in _LOTS
    ]
    return [
        {**lot, "all_newly": all(card["newly"] == card["count"] for card in lot["cards"])}
        for lot in lots
        if lot["cards"]
    ]


def groups_by_file(failures: Iterable[Json]) -> list[Json]:
    """Return failures by file, those of most failures first."""
    groups: dict[str, list[Json]] = {}
    for row in failures:
        groups.setdefault(row["file"] or row["folder"] or "(no file)", []).append(row)
    return [{"file": file, "rows": rows} for file, rows in sorted(groups.items(), key=lambda item: -len(item[1]))]


def _grid_of(rows: Sequence[Json], families: Mapping[Function, TestFamily]) -> Json | None:
    """Return the grid of the parametrized function to which most tests of a reason belong, one square each."""
    functions = Counter((row["file"] or "", row["folder"], split_name(row["name"]).function) for row in rows)
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
        "failed": sum(cell["tone"] == "fail" for cell in cells),
        "count": family["count"],
        "range": f"{first} to {last}" if first and last and family["count"] > 1 else "",
        **reduced_cells(cells),
    }


def command_for(rows: Sequence[Json], count: int) -> str | None:
    """Return the command that runs some tests of a reason again: by their names, or by their common function."""
    ids = [text for row in rows if (text := node_id(row["file"], row["folder"], row["name"]))]
    functions = dict.fromkeys(text.partition("[")[0] for text in ids)
    files = dict.fromkeys(text.partition("::")[0] for text in ids)
    choices = [ids, functions, files] if len(ids) == count else [functions, files]
    shortest = next((choice for choice in choices if 0 < len(choice) <= _MAX_COMMAND_TESTS), None)
    return None if shortest is None else run_command(shortest)
