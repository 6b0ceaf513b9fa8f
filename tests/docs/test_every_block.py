"""Every fenced block of the README and of ``docs`` is run by a test that is named here, or has a reason not to be."""

from pathlib import Path

from docs.test_promises import names_in
from docs.written import PAGES, blocks
from support.repository import ROOT

WHOLE = "pytest --automation-report"
"""The one text that others begin with: it stands for the block that is nothing else."""

NOT_RUN = "not run: "


def _read() -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = {}
    table: dict[str, str] = {}
    for line in Path(__file__).with_name("blocks.txt").read_text(encoding="utf-8").splitlines():
        text, arrow, test = line.partition(" => ")
        if arrow:
            table[f"{text[:-1]}\n" if text.endswith("$") else text] = test
        elif line.startswith("["):
            table = tables[line.strip("[]")] = {}
    return tables


BLOCKS = _read()
"""For each page: a text that one of its blocks has (with `$`: the end of a line), and the test that runs the block."""

_NOT_ONE_BY_ONE = {"README.md", "docs/console.md", "docs/operate.md", "docs/server.md"}
PAGES_OF_COMMANDS = [name for name in PAGES if name not in _NOT_ONE_BY_ONE]
"""Pages whose other commands run one by one, in ``test_pages_of_docs``."""


def owner(text: str, parts: list[str]) -> list[str]:
    """Return the parts by which a block is known: the one that is all of it, else those that it has."""
    alone = text.removeprefix("$ ").strip()
    return [part for part in parts if part == alone] or [part for part in parts if part in text and part != WHOLE]


def test_every_block_has_its_test() -> None:
    """Each block of a page belongs to one line of the table, and each line to one block."""
    for name in PAGES:
        parts = list(BLOCKS.get(name, {}))
        owners = []
        for language, text in blocks(name):
            found = owner(text, parts)
            if not found and language == "console" and name in PAGES_OF_COMMANDS:
                continue
            assert len(found) == 1, f"{name}: {found} for\n{text}"
            owners += found
        assert sorted(owners) == sorted(parts), name


def test_each_test_is_there_and_looks_its_block_up() -> None:
    """A test that runs a block is there, and its file has the page and the text that it is found by."""
    for name, text, test in [(each, *line) for each, table in BLOCKS.items() for line in table.items()]:
        if test.startswith(NOT_RUN):
            assert len(test) > len(NOT_RUN)
            continue
        named, _, other_text = test.partition(" ")
        file, _, function = named.partition("::")
        path = ROOT / "tests" / file
        assert function in names_in(path), test
        source = path.read_text(encoding="utf-8")
        assert (other_text or text) in source, f"{test} does not look for {other_text or text!r}"
        is_read = name in source or name.rpartition("/")[2] in source or "README" in source
        assert is_read, f"{test} does not read {name}"
