"""Runs real packages' own tests with the plugin and without it, and prints what differs as a table.

    python tests/real/suites.py [--cache FOLDER] [NAME ...]

Needs the extra ``test``, a package registry at the first run, and minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from real.comparing import Row, compare  # noqa: E402 - a script finds its modules by the lines above
from real.packages import PACKAGES  # noqa: E402 - as above
from real.workplace import UnavailableError, default_cache, prepare  # noqa: E402 - as above

_HEAD = (
    "| package | version | kind | tests | exit statuses | bare s | reported s | differences |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def main() -> int:
    """Compare the packages named in the arguments, all without any; return 1 when anything differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *(each.name for each in PACKAGES)])
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where packages and environments are kept")
    given = parser.parse_args()
    is_equal = True
    print(_HEAD)
    for package in PACKAGES:
        if given.names and package.name not in given.names:
            continue
        try:
            place = prepare(package, given.cache)
        except UnavailableError as error:
            is_equal = False
            print(
                f"| {package.name} | {package.version} | {package.kind} | | | | | not to be had: {error} |", flush=True
            )
            continue
        with tempfile.TemporaryDirectory(prefix="suites-") as work:
            row = compare(package, place, Path(work) / package.name)
        is_equal = is_equal and not row.differences
        print(line_of(row), flush=True)
    return 0 if is_equal else 1


def line_of(row: Row) -> str:
    """Return a row of the table in Markdown; seconds are of each session: alone, then on two workers."""
    exits = ", ".join(map(str, row.exits))
    bare = ", ".join(f"{seconds:.0f}" for seconds, _ in row.seconds[::2])
    reported = ", ".join(f"{seconds:.0f}" for _, seconds in row.seconds)
    told = "<br>".join(each.replace("|", "\\|") for each in row.differences) or "none"
    package = row.package
    cells = (package.name, package.version, package.kind, row.tests, exits, bare, reported, told)
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
