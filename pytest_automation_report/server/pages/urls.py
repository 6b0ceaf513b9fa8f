"""Write and read the URLs of pages: each view with its filters, order and page number is a link."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.server.api.decoding import storable
from pytest_automation_report.server.api.documents import Parameter, Query, in_range, one_of, query_from
from pytest_automation_report.server.store.overview import XPASS
from pytest_automation_report.server.store.searches import Lane, mistakes_in
from pytest_automation_report.server.store.values import RESULT_STATUSES, STATUS_IDS, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.api.models import OutputName

_PATHS: Final[Mapping[str, str]] = {
    "home": "/",
    "search": "/search",
    "project": "/projects/{}",
    "suite": "/sources/{}",
    "latest": "/sources/{}/latest",
    "costs": "/sources/{}/tests",
    "run": "/runs/{}",
    "run-live": "/runs/{}/live",
    "run-branch": "/runs/{}/branch",
    "run-text": "/runs/{}/failures.txt",
    "run-junit": "/runs/{}/junit.xml",
    "run-json": "/runs/{}/run.json",
    "run-csv": "/runs/{}/tests.csv",
    "report": "/runs/{}/report.html",
    "result": "/results/{}",
    "case": "/tests/{}",
    "theme": "/theme/{}",
}
_is_own_path = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*").fullmatch


def link(kind: str, id: int | str | None = None, at: str = "", **query: Any) -> str:  # noqa: A002, ANN401 - reads well; any value has a text
    """Return the path of a page; parameters that are empty or None are left out.

    ``id`` is the number of a run, result or source, ``at`` the id of an element of the page. The name of a parameter
    may end with an underscore, which is no part of it: ``from`` is a word of Python.
    """
    path = _PATHS[kind]
    if id is not None:
        path = path.format(id if isinstance(id, int) else quote(id, safe=""))
    if not query and not at:
        return path
    pairs = {name.rstrip("_"): str(value) for name, value in query.items() if value not in {None, ""}}
    return f"{path}{'?' if pairs else ''}{urlencode(pairs, errors='replace')}{'#' if at else ''}{quote(at)}"


def own_path(text: str | None, default: str = "/") -> str:
    """Return a text if it is a path of this site, else ``default``."""
    # Two slashes or a backslash would lead to another host, and a control character could end a header.
    return text if text and _is_own_path(text) else default


class PageNumbers(NamedTuple):
    """The numbers of a page, of its neighbours and of the last one; None for one that is not there or not known."""

    page: int
    before: int | None
    after: int | None
    last: int | None


def paging(page: int, total: int | None, size: int, *, has_more: bool = False) -> PageNumbers:
    """Return the numbers of a page of a list; ``has_more`` is for an unknown ``total``."""
    last = None if total is None else max(1, -(-total // size))
    is_followed = has_more if last is None else page < last
    return PageNumbers(page, page - 1 or None, page + 1 if is_followed else None, last)


# The views of a run's page, in the order of their tabs and of the keys 1 to 5.
VIEWS: Final = ("failures", "tests", "changes", "time", "details")
CHANGE_LISTS: Final = (
    "new", "back", "newly_failing", "fixed", "still_failing", "slower", "new_tests", "gone", "faster", "newly_skipped",
    "passed_again", "not_run", "known", "moved", "unstable_ids",
)  # fmt: skip
"""Lists of findings that a page can show alone, by their names in the document; three are parts of other lists."""

WORDS: Final = ("flaky", XPASS, *(name.replace("_", "-") for name in CHANGE_LISTS))
"""Values of the field ``is`` in a search: what is known of a test, and lists of findings."""

FLAKY: Final = "flaky"  # stands among the numbers of statuses for tests that passed after a failed attempt
# Captured output by the word in the URL: the name of its field.
STREAMS: Final[Mapping[str, OutputName]] = {"stdout": "Output", "stderr": "Errors", "log": "Log"}
# Ways to show a picture beside an earlier one, by the word in the URL.
PICTURES: Final[Mapping[str, str]] = {"beside": "Side by side", "slider": "Slider", "difference": "Difference"}
NO_BRANCH: Final = "-"  # the branch in a URL of runs without one; git allows no branch of this name
# Statuses of runs by their word in a URL.
STATUSES: Final = {"running": RunStatus.RUNNING, "failed": RunStatus.FAILURE, "passed": RunStatus.SUCCESS}


# Fields of a run's page whose parameters have another name in the URL.
_RENAMED: Final = {"statuses": "status", "changes": "change", "text": "q", "opened": "open"}


class RunState(Struct, frozen=True, kw_only=True, dict=True, rename=_RENAMED):
    """State of a run's page; an empty value is the usual one."""

    run_id: int
    view: str = ""  # failures if there are any, else tests
    base: int | None = None
    statuses: frozenset[str] = frozenset()  # numbers of statuses, and maybe `FLAKY`
    changes: frozenset[str] = frozenset()  # names of lists of findings
    reason: str = ""  # a fingerprint
    text: str = ""
    folder: str = ""
    lane: Lane | None = None
    opened: str = ""  # the open node of the tree: a file, a folder (with a slash at its end), or ``file::name``
    group: str = ""
    sort: str = ""
    page: int = 1
    mistakes: tuple[str, ...] = ()  # what the address has and the page leaves out, in sentences

    @property
    def is_filtered(self) -> bool:
        """Whether the page may leave tests out."""
        return bool(self.statuses or self.changes or self.reason or self.text or self.folder or self.lane)

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The parameters of the URL; none for the usual state of a page."""
        return _parameters_of(self, _OF_RUN)

    @property
    def address(self) -> str:
        """The URL of the page."""
        return link("run", self.run_id, **self.parameters)

    def result(self, result_id: int) -> str:
        """Return the URL of a test of the run, from which the reader finds back to this state."""
        return link("result", result_id, from_=urlencode(self.parameters))

    def to(self, **values: Any) -> RunState:  # noqa: ANN401 - the fields of this class
        """Return the state with these fields changed, on its first page unless another one is given."""
        return replace(self, **{"page": 1, **values})

    def at(self, view: str, **values: Any) -> RunState:  # noqa: ANN401 - the fields of this class
        """Return a view of the same run and base, without the filters of the present one but with these values."""
        return RunState(run_id=self.run_id, view=view, base=self.base, **values)

    def toggled(self, **values: str) -> RunState:
        """Return the list of tests with a status or change added to the chosen ones, or removed from them."""
        chosen = {name: getattr(self, name) ^ {value} for name, value in values.items()}
        return self.to(view="tests", opened="", group="", **chosen)

    def address_at(self, page: int) -> str:
        """Return the URL of another page."""
        return self.to(page=page).address


class TestState(Struct, frozen=True, rename={"origin": "from"}):
    """State of a test's page."""

    __test__ = False  # pytest must not collect it

    attempt: int | None = None  # None for the last one
    show: str = ""  # ``pytest`` for failures as pytest wrote them
    out: str = ""  # a key of `STREAMS`, empty for the first one that the test has
    pictures: str = ""  # a key of `PICTURES`, empty for the first one
    history: str = ""  # ``all`` for the outcomes on all branches
    origin: str = ""  # the query of the run's page from which the reader came
    mistakes: tuple[str, ...] = ()

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the URL; none for the first state."""
        return _parameters_of(self, _OF_TEST)

    @property
    def origin_query(self) -> dict[str, str]:
        """The parameters of the run's page from which the reader came."""
        return {name: value for name, value in parse_qsl(self.origin) if name in _OF_RUN}


class ListFilters(Struct, frozen=True):
    """Conditions for the runs of a list; None is any. ``branch`` is empty for runs without a branch."""

    source: int | None = None
    branch: str | None = None
    status: str | None = None
    tag: str | None = None
    page: int = 1
    mistakes: tuple[str, ...] = ()

    @property
    def is_any(self) -> bool:
        """Whether no run is left out."""
        return self.query.keys() <= {"page"}

    @property
    def wanted(self) -> Mapping[str, object]:
        """The conditions, by the names of the filters that the API's list of runs has."""
        status = None if self.status is None else int(STATUSES[self.status])
        return {"source_id": self.source, "branch": self.branch, "status": status, "tags": self.tag}

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the URL; none for the first page without a filter."""
        return _parameters_of(self, _OF_LIST)

    def at(self, page: int) -> dict[str, Any]:
        """Return the parameters of another page."""
        return replace(self, page=page).query


def _parameters_of(state: RunState | TestState | ListFilters, query: Query) -> dict[str, str]:
    """Return the parameters of a state's URL, without those that have their default."""
    fields = zip(state.__struct_encode_fields__, state.__struct_fields__, strict=True)
    texts = {name: _written(getattr(state, field)) for name, field in fields if name in query}
    return {name: text for name, text in texts.items() if text != _written(query[name].default)}


def _written(value: object) -> str:
    """Return a value as a URL has it; an empty one, such as no branch, is not the same as None, which is any."""
    text = ",".join(sorted(value)) if isinstance(value, (frozenset, list)) else str(value)
    return "" if value is None else text or NO_BRANCH


def run_state(run_id: int, parameters: Mapping[str, Any], *, is_strict: bool = False) -> RunState:
    """Return the state of a run's URL; with ``is_strict`` raises `ApiError` (422) that lists invalid parameters."""
    values, mistakes = (read_parameters(_OF_RUN, parameters), []) if is_strict else _usable(_OF_RUN, parameters)
    fields = {field: values.pop(name) for field, name in _RENAMED.items()}
    mistakes += mistakes_in(fields["text"], WORDS)
    return RunState(run_id=run_id, **fields, **values, mistakes=tuple(mistakes))


def result_state(parameters: Mapping[str, Any]) -> TestState:
    """Return the state of a test's URL."""
    values, mistakes = _usable(_OF_TEST, parameters)
    origin = values.pop("from").rpartition("?")[2][:1_000]
    return TestState(**values, origin=origin, mistakes=tuple(mistakes))


def run_filters(parameters: Mapping[str, Any]) -> ListFilters:
    """Return the filters of a list of runs."""
    values, mistakes = _usable(_OF_LIST, parameters)
    return ListFilters(**values, mistakes=tuple(mistakes))


def single_values(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return one value for each parameter, the last one of a repeated parameter; forms send empty ones, too."""
    texts = {name: str(value[-1] if isinstance(value, list) else value) for name, value in parameters.items()}
    return {name: text for name, text in texts.items() if text.strip()}


def short_text(text: str) -> str:
    """Return a text of a URL, as texts are stored, and not too long."""
    return storable(text)[:750]


def read_parameters(query: Query, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a URL with their defaults; raises `ApiError` (422) that lists invalid ones."""
    return query_from(query, single_values(parameters))


def _usable(query: Query, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters of a URL, with the default of each wrong one, and sentences about these."""
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    given = single_values(parameters)
    for name, parameter in query.items():
        text = given.get(name, "")
        values[name] = parameter.default
        try:
            values[name] = parameter.parse(text) if text else parameter.default
        except ValueError as error:
            message = str(error)
            mistakes.append(f"{name}={short_text(text)[:80]} is left out: it {message[:1].lower()}{message[1:]}")
    return values, mistakes


def _matching(pattern: str, message: str, value: Callable[[str], object] = int, default: object = None) -> Parameter:
    """Return the parameter for a text of a pattern; ``message`` says what it must be."""
    matches = re.compile(pattern).fullmatch

    def parse(text: str) -> object:
        if not matches(text.strip()):
            raise ValueError(message)
        return value(text.strip())

    return Parameter(parse, default)


def _statuses(text: str) -> frozenset[str]:
    words = (word.strip().lower() for word in text.split(",") if word.strip())
    found = frozenset(str(STATUS_IDS.get(word, word)) for word in words)
    if not found <= {FLAKY, *map(str, RESULT_STATUSES)}:
        names = ", ".join(status.name.lower() for status in RESULT_STATUSES.values())
        raise ValueError(f"Must be some of {names}, {FLAKY}, or numbers of statuses, separated by commas.")
    return found


def _changes(text: str) -> frozenset[str]:
    found = frozenset(word for word in text.split(",") if word)
    if not found <= set(CHANGE_LISTS):
        raise ValueError(f"Must be some of {', '.join(CHANGE_LISTS)}, separated by commas.")
    return found


_PAGE: Final = in_range(range(1, 10**9), 1)
_OF_RUN: Final[Query] = {
    "view": one_of(VIEWS, ""),
    "base": _matching("[0-9]{1,18}", "Must be the number of a run."),
    "status": Parameter(_statuses, frozenset()),
    "change": Parameter(_changes, frozenset()),
    "reason": _matching("[0-9a-f]{16}", "Must be the 16 digits of a reason.", str, ""),
    "q": Parameter(lambda text: short_text(text.strip()), ""),
    "folder": Parameter(short_text, ""),
    "lane": Parameter(Lane.of),
    "open": Parameter(short_text, ""),
    "group": one_of(("reason", "file", "none"), ""),
    "sort": one_of(("failed", "slowest", "ran"), ""),
    "page": _PAGE,
}
_OF_TEST: Final[Query] = {
    "attempt": _matching("[1-9][0-9]{0,8}", "Must be the number of an attempt."),
    "show": one_of(("pytest",), ""),
    "out": one_of((*STREAMS,), ""),
    "pictures": one_of((*PICTURES,), ""),
    "history": one_of(("all",), ""),
    "from": Parameter(str, ""),
}
_OF_LIST: Final[Query] = {
    "source": _matching("[0-9]{1,10}", "Must be the number of a suite."),
    "branch": Parameter(lambda text: "" if text.strip() == NO_BRANCH else short_text(text.strip())),
    "status": one_of((*STATUSES,)),
    "tag": Parameter(lambda text: short_text(text.strip())),
    "page": _PAGE,
}
