"""Read the plain report: it needs neither script nor style, as mail programs and Jenkins show it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.pages.statuses import parts
from pytest_automation_report.server.pages.words import plain, with_defaults
from pytest_automation_report.text.names import title_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.queries import PageReader

FAILURES_SHOWN: Final = 100
"""Most failures of the plain report."""

_ALL_CHARACTERS: Final = 48_000
_TEXT_CHARACTERS: Final = 3_000
_KNOWN_REASON_CHARACTERS: Final = 300
# Unlike the reasons of findings, the list is the run's own: also failures without a text are in it.
_FAILURES: Final = 'SELECT * FROM "result" WHERE "run_id" = ? AND "result_class" = 3 ORDER BY "run_id", "id" LIMIT ?'


def plain_values(reader: PageReader, run_id: int, findings: Json) -> dict[str, Any]:
    """Return the values of the template ``report/plain.html``."""
    row = reader.run_row(run_id)
    counted = ((part["status"].name, part["count"]) for part in parts(row, reader.statuses(row["project"])))
    return {
        "plain_run": row,
        "source": reader.source_name(row["source"]),
        "statuses": sorted(counted, key=lambda entry: (-entry[1], entry[0])),
        "findings": findings,
        "failures": _failures(reader.connection.rows(_FAILURES, (run_id, FAILURES_SHOWN))),
        "failures_left": max(0, row["failure_count"] - FAILURES_SHOWN),
        "flaky": [test for test in findings["flaky"] if test["state"] == "flaky"],
    }


def _failures(rows: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Return failures; the text of the first one of each reason is longer, since those of the others are alike."""
    texts = [_text(row) for row in rows]
    known: set[int | None] = set()
    is_first: list[bool] = []
    for row in rows:
        is_first.append(row["fingerprint"] is None or row["fingerprint"] not in known)
        known.add(row["fingerprint"])
    longest = _longest([len(text) for text, first in zip(texts, is_first, strict=True) if first])
    return [
        _failure(row, text, longest if first else min(longest, _KNOWN_REASON_CHARACTERS))
        for row, text, first in zip(rows, texts, is_first, strict=True)
    ]


def _longest(lengths: Sequence[int]) -> int:
    """Return how many characters of each text are shown, so that all of them together are not too many."""
    left = _ALL_CHARACTERS
    for place, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - place)
        if length > share:
            return min(share, _TEXT_CHARACTERS)
        left -= length
    return _TEXT_CHARACTERS


def _text(row: Mapping[str, Any]) -> str:
    """Return the text of a failure."""
    fields = [with_defaults(field) for field in json.loads(row["fields"] or "[]")]
    return "\n\n".join(plain(str(field["value"])) for field in fields if field.get("is_highlight"))


def _failure(row: Mapping[str, Any], text: str, characters: int) -> Json:
    # The end of a long text has the error; a line that is cut would be hard to read.
    shown = text if len(text) <= characters else text[-characters:].partition("\n")[2] or text[-characters:]
    return {
        "title": title_of(row["folder"], row["name"]),
        "place": f"{row['file']}:{row['line']}" if row["file"] and row["line"] else row["file"] or "",
        "message": row["message"] or "",
        "text": shown,
        "left_out": len(text) - len(shown),
    }
