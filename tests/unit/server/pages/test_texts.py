import sys
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from pytest_automation_report.api.models import Field
from pytest_automation_report.server.pages.drawings import slices
from pytest_automation_report.server.pages.rendering import CompiledTemplates, macros
from pytest_automation_report.server.pages.words import LINES_SHOWN, halves, lines, parts_of
from pytest_automation_report.text.limits import duration, quantity
from pytest_automation_report.text.node_ids import command_line, read_node_id


def test_a_node_id_that_was_sent_counts() -> None:
    """Where folder and name no longer show it, the field does; an option in it is no part of a command.

    Whoever can report a result must not choose the options of the pytest that a reader starts by the command.
    """
    place = ("a/test_b.py", "a.test_b", "test_c")
    node = read_node_id(*place, [Field("Node id", "a/test_b.py::test_c[x::y]")])
    assert command_line([node]) == "pytest 'a/test_b.py::test_c[x::y]'"
    for value in ("--pdbcls=evil:Evil", "-p evil", "@options.txt", ""):
        assert read_node_id(*place, [Field("Node id", value)]) == "a/test_b.py::test_c"
        assert read_node_id("a/test_b.py", "a.test_b", "a.test_b", line=3) == "a/test_b.py::a.test_b"
        assert command_line([read_node_id(None, *place[1:], [Field("Node id", value)])]) == ""


def test_lines_of_a_traceback_have_kinds() -> None:
    """The line that raised, and what it raised, are told from all others."""
    code = "def f():\n>   g()\nE   Boom\n\ntests/test_a.py:3: Boom\n"
    text = f"{code}_ _ _ _ _ _ _\n-----  Captured stdout -----\n    E not"
    kinds = ["", "hit", "err", "", "", "", "", ""]
    assert [line.kind for line in lines(text)] == kinds


def test_the_first_line_of_a_traceback_stands_above_its_body() -> None:
    """Pytest takes the margin off a traceback's first line; on the page it is there again, and nowhere else."""
    assert lines("def f():\n        g()\n>       h()")[0].text == "    def f():"
    assert [line.text for line in lines("define\n    x")] == ["define", "    x"]


def test_a_text_is_shown_without_what_a_page_cannot_show() -> None:
    """Colours go, control characters and bidi controls are spelled out, endless texts end."""
    assert [line.text for line in lines("\x1b[31mred\x1b[0m\r\n\x07\u202e\n")] == ["red", "\\x07\\u202e"]
    shown = lines("x\n" * (LINES_SHOWN + 7))
    assert (len(shown), shown[-1].text) == (LINES_SHOWN + 1, "... 7 more lines")


def test_durations_are_written_for_people() -> None:
    """The two units that matter are shown."""
    texts: dict[int | None, str] = {
        0: "0.0 ms", 1: "<0.1 ms", 50: "0.1 ms", 324: "0.3 ms", 12_400: "12 ms", 999_400: "999 ms", 999_900: "1.00 s",
        59_990_000: "1 min 00 s", 1_000_000: "1.00 s", 59_940_000: "59.9 s", 60_000_000: "1 min 00 s",
        3_599_000_000: "59 min 59 s", 3_599_900_000: "1 h 00 min", 3_660_000_000: "1 h 01 min",
        None: "–",  # noqa: RUF001 - typography
    }  # fmt: skip
    assert {microseconds: duration(microseconds) for microseconds in texts} == texts


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("test_short[1]", ""),
        ("test_total_of_many_items_in_the_cart", "tems_in_the_cart"),
        ("test_total_of_many_items_in_the_cart[en-webkit]", "[en-webkit]"),
        ("test_total[" + 40 * "x" + "y]", 14 * "x" + "y]"),
    ],
)
def test_a_long_name_keeps_its_end(name: str, end: str) -> None:
    """Where a name is cut, its parameters, or the end of them, can still be read."""
    assert halves(name) == (name.removesuffix(end), end)


def test_a_change_of_a_duration_says_since_what() -> None:
    """Its title has the duration before, and what that is of; a small change is not shown."""
    lasted = macros().lasted
    assert 'title="#41: 3.00 s">+2.00 s<' in str(lasted(5_000_000, 3_000_000, "#41"))
    assert "title" not in str(lasted(5_000_000, 4_900_000, "#41"))


def test_the_smallest_slice_of_a_bar_can_be_seen() -> None:
    """One failure in 100,000 tests shows, and the bar is as long as ever."""
    bar = slices(parts_of({3: 1, 2: 99_999}))
    assert [part.tone for part, _, _ in bar] == ["fail", "pass"]
    assert float(bar[0][2]) > 4.9
    assert float(bar[1][1]) + float(bar[1][2]) == pytest.approx(1000, abs=0.1)
    assert slices([]) == []


def test_numbers_are_written_for_people() -> None:
    """Thousands stand apart, and nouns agree."""
    assert [quantity(1, "run"), quantity(12_000, "run"), quantity(1_000)] == ["1 run", "12,000 runs", "1,000"]


def text_of(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, *, writes: bool = True) -> tuple[str, int]:
    """Render a template with what is kept in a folder; return its text and how often it was compiled."""
    monkeypatch.setattr(sys, "pycache_prefix", str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", not writes)
    counted: list[object] = []

    class Counting(Environment):
        def _generate(self, *args: object, **kwargs: object) -> str:
            counted.append(args)
            return super()._generate(*args, **kwargs)  # type: ignore[arg-type]

    environment = Counting(loader=DictLoader({"page": source}), autoescape=True, bytecode_cache=CompiledTemplates())
    return environment.get_template("page").render(), len(counted)


def test_a_second_process_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one process compiled is there for the next one, where Python has its bytecode, unless it writes none."""
    assert text_of(tmp_path, monkeypatch, "one") == ("one", 1)
    assert text_of(tmp_path, monkeypatch, "one") == ("one", 0)
    assert [path.parent.name for path in tmp_path.rglob("*.pyc")] == ["pages"]
    assert text_of(tmp_path / "none", monkeypatch, "one", writes=False) == ("one", 1)
    assert not (tmp_path / "none").exists()


def test_other_sources_are_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template that has changed is compiled, and kept in place of the other one."""
    for source, compiled in (("one", 1), ("one", 0), ("two", 1), ("two", 0)):
        assert text_of(tmp_path, monkeypatch, source) == (source, compiled)


def test_what_cannot_be_kept_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are shown where nothing can be written, and where a kept template is damaged."""
    (tmp_path / "file").write_text("")
    assert text_of(tmp_path / "file", monkeypatch, "one") == ("one", 1)
    assert text_of(tmp_path, monkeypatch, "one") == ("one", 1)
    for path in tmp_path.rglob("*.pyc"):
        path.write_bytes(path.read_bytes()[:60])
    assert text_of(tmp_path, monkeypatch, "one") == ("one", 1)
