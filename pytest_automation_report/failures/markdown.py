"""A failure as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.failures.frames import Call
from pytest_automation_report.failures.reading import ShownException, read_failure
from pytest_automation_report.text.markdown import code_block, code_span, table_row
from pytest_automation_report.text.node_ids import join_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_automation_report.failures.comparisons import Table
    from pytest_automation_report.failures.differences import Segments
    from pytest_automation_report.failures.tracebacks import Frame
    from pytest_automation_report.failures.values import Comparison


_MAX_CODE_LINES: Final = 12
_MAX_ROWS: Final = 20
_MAX_DETAILS: Final = 4_000
_LINKS: Final = {"cause": "because of", "context": "while handling"}


class ReportedFailure(Struct, frozen=True):
    """A failed test of ``file`` for its report, ``text`` as pytest wrote it; ``sentence`` says since when it fails."""

    title: str
    text: str = ""
    message: str = ""
    type_name: str = ""
    place: str = ""
    sentence: str = ""
    command: str = ""
    url: str = ""
    comparison: Comparison | None = None
    file: str = ""


def failure_markdown(failure: ReportedFailure) -> str:
    """Return a failure as Markdown: what it says, where, the compared values, the code, how to run it again."""
    return "\n\n".join(_paragraphs(failure)) + "\n"


def _paragraphs(failure: ReportedFailure) -> Iterator[str]:
    yield f"### {code_span(failure.title)}"
    if failure.sentence:
        yield failure.sentence
    if failure.place:
        yield f"At {code_span(failure.place)}"
    if failure.text or failure.message:
        told = (failure.text, failure.message, failure.type_name, failure.comparison, failure.file)
        for exception in read_failure(*told):
            yield from _exception(exception)
    if failure.command:
        yield f"Run it again:\n\n{code_block(failure.command, 'sh')}"
    if failure.url:
        yield f"<{failure.url}>"


def _exception(exception: ShownException) -> Iterator[str]:
    said = f"{exception.type_name}: {exception.said}" if exception.type_name else exception.said
    prefix = f"{_LINKS[exception.link]} " if exception.link else ""
    yield f"{prefix}**{code_span(said)}**" if said else prefix.strip()
    if exception.table is not None:
        yield _table(exception.table)
    for text in (exception.details, exception.remark):
        if text:
            yield code_block(text[:_MAX_DETAILS])
    for frame in [call.frame for call in exception.calls if isinstance(call, Call) and call.is_open]:
        yield _frame(frame)


def _frame(frame: Frame) -> str:
    """Return the place of a frame and its code around the line that raised."""
    hits = [number for number, line in enumerate(frame.code) if line.is_hit]
    end = max(hits[-1] + 4, _MAX_CODE_LINES) if hits else _MAX_CODE_LINES
    lines = [
        f"{'>' if line.is_hit else ' '} {line.text}".rstrip()
        for line in frame.code[max(0, end - _MAX_CODE_LINES) : end]
    ]
    place = code_span(join_place(frame.path, frame.line))
    function = f" in {code_span(frame.function)}" if frame.function else ""
    code = "\n".join(lines)
    return f"{place}{function}" + (f"\n\n{code_block(code, 'python')}" if lines else "")


def _table(table: Table) -> str:
    head = "differs" if table.operator == "==" else "compared"
    rows = [(head, code_span(table.left_title), code_span(table.right_title)), ("---", "---", "---")]
    rows += [
        (code_span(row.path) if row.path else "value", _side(row.left), _side(row.right))
        for row in table.rows[:_MAX_ROWS]
    ]
    lines = [table_row(*cells) for cells in rows]
    more = table.more + len(table.rows) - len(table.rows[:_MAX_ROWS])
    remarks = [f"{more:,} more differences"] if more else []
    if table.equal_count:
        remarks.append(f"{table.equal_count:,} equal")
    return "\n".join(lines) + (f"\n\n({', '.join(remarks)})" if remarks else "")


def _side(side: Segments | None) -> str:
    return "not there" if side is None else code_span("".join(text for text, _ in side))
