"""Pair the tests that a run lacks with those that it has more: a test that was moved keeps its history."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

_Test = TypeVar("_Test", bound="Hashable")

# A file was renamed if more than this share of the functions of either name is in the other one.
_SAME_SHARE: Final = 0.5
# What differs in each run, and what nobody writes: an address, a random id or number, a moment.
_VOLATILE: Final = re.compile(
    r"0x[0-9a-fA-F]{6,16}"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?"
    r"|(?<![\w.])(?:1[0-9]{9}\.[0-9]{3,}|0\.[0-9]{12,})(?![\w.])"
)


class Place(NamedTuple):
    """Where a test is: its file, the classes in it, its function and the id of its parameters."""

    file: str
    classes: str
    function: str
    id: str = ""

    @property
    def inside(self) -> tuple[str, str, str]:
        """The place in the file."""
        return self.classes, self.function, self.id


def locate_test(folder: str, name: str, file: str | None) -> Place:
    """Return the place of a test by its stored names; without a file its folder stands for it.

    >>> locate_test("tests.test_cart.TestTotal", "test_add[1-2]", "tests/test_cart.py")
    Place(file='tests/test_cart.py', classes='TestTotal', function='test_add', id='1-2]')
    """
    function, _, parameters = name.partition("[")
    module = (file or "").replace("\\", "/").removesuffix(".py").replace("/", ".")
    # A prefix of the project may stand before the module.
    before, found, classes = f".{folder}.".rpartition(f".{module}.") if module else ("", "", "")
    if not found:
        return Place(folder, "", function, parameters)
    return Place(f"{before[1:]}:{file}" if before else file or "", classes.removesuffix("."), function, parameters)


def pair_moved(before: Mapping[_Test, Place], now: Mapping[_Test, Place]) -> dict[_Test, _Test]:
    """Return the tests of a run that were moved since an earlier one, each with the test that it was.

    A test was moved if it has the same name in a file that was renamed. It was moved between other files if no other
    test has its name, and did not come alone: a single one may be new, with the name of one that was removed.

    >>> old = {1: Place("test_a.py", "", "test_x"), 2: Place("test_a.py", "", "test_y")}
    >>> new = {3: Place("test_b.py", "", "test_x"), 4: Place("test_b.py", "", "test_y")}
    >>> pair_moved(old, new)
    {3: 1, 4: 2}
    """
    gone = {test: place for test, place in before.items() if test not in now}
    come = {test: place for test, place in now.items() if test not in before}
    if not gone or not come:
        return {}
    renamed = _renamed_files(before.values(), now.values())
    at = {place: test for test, place in gone.items()}
    named, alone = _alone(before), {*_alone(now).values()}
    pairs: dict[_Test, _Test] = {}
    others: dict[_Test, _Test] = {}
    for test, place in come.items():
        if (old := at.get(place._replace(file=renamed.get(place.file, "")))) is not None:
            pairs[test] = old
        elif test in alone and (old := named.get(place.inside)) in gone:
            others[test] = old
    ways = Counter((gone[old].file, come[test].file) for test, old in others.items())
    return pairs | {test: old for test, old in others.items() if ways[gone[old].file, come[test].file] > 1}


def pair_volatile(before: Mapping[_Test, Place], now: Mapping[_Test, Place]) -> tuple[set[_Test], dict[_Test, _Test]]:
    """Return the tests of either run whose ids differ from run to run; and those of one of each, later and earlier.

    These are new and gone tests of one function, whose ids are equal but for addresses, moments and random values.

    >>> old, new = Place("test_a.py", "", "test_x", "<A at 0x7f10c0>]"), Place("test_a.py", "", "test_x", "1.5]")
    >>> pair_volatile({1: old, 2: new}, {3: old._replace(id="<A at 0x7f2348>]"), 4: new._replace(id="2.5]")})
    ({1, 3}, {3: 1})
    """
    places: defaultdict[Place, tuple[list[_Test], list[_Test]]] = defaultdict(lambda: ([], []))
    for number, (tests, others) in enumerate(((before, now), (now, before))):
        for test, place in tests.items():
            masked = _VOLATILE.sub("<>", place.id)
            if masked != place.id and test not in others:
                places[place._replace(id=masked)][number].append(test)
    pairs = [pair for pair in places.values() if all(pair)]
    unstable = {test for pair in pairs for tests in pair for test in tests}
    return unstable, {come[0]: gone[0] for gone, come in pairs if len(gone) == len(come) == 1}


def _alone(tests: Mapping[_Test, Place]) -> dict[tuple[str, str, str], _Test]:
    """Return the tests whose places in their files are in no other file, by these places."""
    counts = Counter(place.inside for place in tests.values())
    return {place.inside: test for test, place in tests.items() if counts[place.inside] == 1}


def _renamed_files(before: Iterable[Place], now: Iterable[Place]) -> dict[str, str]:
    """Return the old names of files: of a new one that has most functions of one that is gone, and of no other one."""
    then, here = _functions(before), _functions(now)
    files = Counter(function for functions in then.values() for function in functions)
    pairs = [
        (new, old)
        for new in here.keys() - then.keys()
        for old in then.keys() - here.keys()
        if len(same := here[new] & then[old]) > _SAME_SHARE * max(len(here[new]), len(then[old]))
        # Many files may have the same few names.
        and any(files[function] == 1 for function in same)
    ]
    counts = Counter(file for pair in pairs for file in pair)
    return {new: old for new, old in pairs if counts[new] == counts[old] == 1}


def _functions(places: Iterable[Place]) -> dict[str, set[tuple[str, str]]]:
    found: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for place in places:
        found[place.file].add((place.classes, place.function))
    return found
