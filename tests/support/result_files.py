"""JUnit XML of as many cases as a test needs."""

from collections.abc import Iterable
from pathlib import Path


def written(path: Path, names: Iterable[str], *, failed: str = "") -> Path:
    """Write a file of passed cases with these names, of which one may have failed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<testsuites><testsuite name="suite">\n')
        for name in names:
            inner = "<failure message='no'>because</failure>" if name == failed else ""
            file.write(f'<testcase classname="tests.mod" name="{name}" time="0.01">{inner}</testcase>\n')
        file.write("</testsuite></testsuites>\n")
    return path
