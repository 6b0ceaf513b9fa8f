"""Runs real packages' own tests with the plugin and without it, and prints what differs as a table.

    python tests/compatibility/real/suites.py [--cache FOLDER] [--differential] [--limit SECONDS] [NAME ...]

Each package is tested alone and on two workers: bare, reported to a server on this machine, and to the embedded store.
With ``--differential`` warnings are errors, and a session in each way is enough. Needs the extra ``test``, a package
registry at the first run, and minutes.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[3]), str(Path(__file__).parents[2])]

from compatibility.real.comparing import Row, compare  # noqa: E402 - a script finds its modules by the lines above
from compatibility.real.packages import DIFFERENTIAL, PACKAGES, Package  # noqa: E402 - as above
from compatibility.real.running import Suite, Target, Way  # noqa: E402 - as above
from compatibility.real.workplace import UnavailableError, default_cache, prepare  # noqa: E402 - as above

_ALL: Mapping[Way, Sequence[Target]] = {Way(0): ("loopback", "embedded"), Way(2): ("loopback", "embedded")}
_STRICT: Mapping[Way, Sequence[Target]] = {
    Way(0, is_strict=True): ("embedded",), Way(2, is_strict=True): ("loopback",)
}  # fmt: skip
_COLUMNS = (
    "package", "version", "kind", "-n", "tests", "last line", "exit", "bare s", "server s", "embedded s", "unsteady",
    "differences",
)  # fmt: skip


def main() -> int:
    """Compare the packages named in the arguments, all without any; return 1 when anything differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *(each.name for each in PACKAGES)])
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where packages and environments are kept")
    parser.add_argument("--differential", action="store_true", help="with -W error, on packages of every kind")
    parser.add_argument("--limit", type=float, default=1800, metavar="SECONDS", help="for each session")
    given = parser.parse_args()
    names = given.names or (DIFFERENTIAL if given.differential else [each.name for each in PACKAGES])
    ways = _STRICT if given.differential else _ALL
    print(_table_line(_COLUMNS), _table_line(["---"] * len(_COLUMNS)), sep="\n", flush=True)
    is_equal = True
    for package in PACKAGES:
        if package.name not in names:
            continue
        try:
            for row in rows_of(package, given.cache, given.limit, ways):
                is_equal = is_equal and not row.differences
                print(line_of(row), flush=True)
        except UnavailableError as error:
            is_equal = False
            print(f"| {package.name} | {package.version} | not to be had: {error} |", flush=True)
    return 0 if is_equal else 1


def rows_of(package: Package, cache: Path, limit: float, ways: Mapping[Way, Sequence[Target]]) -> Iterator[Row]:
    """Yield a row for each way; raise `UnavailableError` where the package cannot be had."""
    place = prepare(package, cache)
    for way, targets in ways.items():
        with tempfile.TemporaryDirectory(prefix="suites-") as work:
            yield compare(Suite(package, place, Path(work) / package.name, limit), way, targets)


def line_of(row: Row) -> str:
    """Return a row of the table in Markdown; bare seconds are of each bare session."""
    package = row.package
    seconds = [f"{row.reported[each]:.0f}" if each in row.reported else "" for each in ("loopback", "embedded")]
    bare = ", ".join(f"{each:.0f}" for each in row.bare)
    way = f"{row.way.processes}{' -W error' if row.way.is_strict else ''}"
    facts = (package.name, package.version, package.kind, way, row.tests, row.counts, row.exit, bare, *seconds)
    cells = [*map(str, facts), *("<br>".join(each) or "none" for each in (row.unsteady, row.differences))]
    return _table_line(cells)


def _table_line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(each.replace("|", "\\|").replace("\n", "<br>") for each in cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
