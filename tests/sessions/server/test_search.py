"""The search of all suites: what the index finds is what looking at each test finds, and a search has an end."""

import re
from functools import partial
from itertools import pairwise

import pytest

from pytest_automation_report.server.pages.queries import ask
from pytest_automation_report.server.pages.search import search_context
from pytest_automation_report.server.store.database import StoreConnection
from pytest_automation_report.server.store.search_index import SearchTime, update_index
from support.service import ON_BOTH, a_test
from support.website import Site, failing, field

SEARCHES = (
    *("price", "PRICE", "rice", "test_price", "tests.shop", "tests/shop.py", "tests/shop.py::test_price"),
    *("tests/shop.py::test_price[eur]", "test_price refused", "gateway refused", "refused 4711", '"gateway refused"'),
    *("owner:web", "price owner:web", "price owner:api", "ab", "ab price", "100%", "a_b", "a\\b", '"', "täx", "TÄX"),
    *("status:failed", "price status:passed", "absent", "price absent", "it's", "eur] absent", "nightly"),
)


REMOVE = ('DROP TABLE IF EXISTS "searched_text"', 'DROP INDEX IF EXISTS "searched_text"')


def _shown(site: Site, text: str, source: str = "") -> list[str]:
    """Return what a search finds: the links of its page to runs, reasons and tests, with their words."""
    html = site.shown(f"/search?q={text.replace('%', '%25')}{source}")
    return re.findall(r'(?s)<a class="member" href="([^"]*)"|href="(/runs/[0-9]+)"', html)


def _report(site: Site) -> list[int]:
    """Report four runs of two suites whose tests have what is searched in name, file, message or fields."""
    # Stores of PostgreSQL are emptied from test to test, and keep their index.
    site.service.store.write(lambda writer: writer.connection.execute(REMOVE[writer.connection.is_postgres]))
    web, shop = [field("Owner", "web")], {"folder": "tests.shop", "file": "tests/shop.py"}
    refused = partial(failing, message="OSError: gateway refused 4711")
    return [
        site.run_of(a_test(1, name="test_price[eur]", **shop), refused(2, name="test_ab"), source="api"),
        site.run_of(
            a_test(3, name="test_price[usd]", fields=web, **shop), refused(4, name="test_price", **shop), source="web"
        ),
        site.run_of(a_test(5, name="a_b 100% a\\b"), a_test(6, name='täx "it\'s"'), source="web", name="nightly"),
        site.run_of(failing(1, "KeyError: 'absent price'", name="test_price[eur]", **shop), source="api"),
    ]


@ON_BOTH
def test_the_index_finds_what_looking_at_every_test_finds(site: Site) -> None:
    """Words, parts of words, node ids, phrases and fields find the same without an index, with a part, with all."""
    _report(site)
    looked = {text: _shown(site, text) for text in SEARCHES}
    assert [text for text in SEARCHES if not looked[text]] == ["price owner:api", "TÄX"], "others do"
    turns = iter([False, True])
    update_index(site.service.store, lambda: next(turns))
    for step in ("one run is in the index", "all are"):
        assert {text: _shown(site, text) for text in SEARCHES} == looked, step
        own = {text: _shown(site, text, "&source=1") for text in SEARCHES}
        assert own["price"] != looked["price"]
        update_index(site.service.store)
    assert {text: _shown(site, text, "&source=1") for text in SEARCHES} == own


@ON_BOTH
def test_a_search_sees_what_came_and_went_after_the_index_was_made(site: Site) -> None:
    """A run that has just ended or goes on is found at once, and one that was removed no more."""
    runs = _report(site)
    update_index(site.service.store)
    new = site.run_of(a_test(8, name="test_zebra"), source="web", is_open=True)
    assert "test_zebra" in site.text("/search?q=zebra")
    for run, later in pairwise([new, *runs]):
        site.remove(run)
        assert f"in #{run}" not in site.text("/search?q=price"), later
    assert "Nothing matches “zebra”" in site.text("/search?q=zebra")


@ON_BOTH
def test_a_rare_word_finds_its_reason_beside_a_frequent_one(site: Site) -> None:
    """The reason that has both words is found, although more reasons than are looked at have one of them."""
    words = [f"{first}{second}" for first in "abcdefgh" for second in "klmnopqr"]
    names = [f"{first} {second}" for first in words for second in words[:33]]
    rare = failing(0, "ValueError: refused by the harbour of zanzibar", name="test_first")
    many = (failing(n, f"ValueError: refused by the harbour of {name}") for n, name in enumerate(names, 1))
    site.run_of(rare, *many, source="web")
    update_index(site.service.store)
    assert "Nothing matches" not in site.text("/search?q=refused zanzibar")


@pytest.mark.parametrize("is_indexed", [False, True], ids=["looked", "index"])
@ON_BOTH
def test_a_search_that_has_no_time_left_says_what_it_did_not_look_at(site: Site, *, is_indexed: bool) -> None:
    """Its page has what was found until then, and says how many suites, or that more may be there."""
    _report(site)
    if is_indexed:
        update_index(site.service.store)
    context = ask(site.service.store, lambda reader: search_context(reader, "price", None, seconds=0))
    assert (context.runs, context.suites, context.reasons) == ([], [], [])
    assert context.left_out[-1].startswith("The search ended after 0 s, so there may be more.")
    assert is_indexed or context.left_out[0] == "The tests of 2 of 2 suites were not looked at."
    assert ask(site.service.store, lambda reader: search_context(reader, "price", None)).left_out == []


@ON_BOTH
def test_a_statement_is_cut_off_when_the_time_is_over(site: Site) -> None:
    """A statement that would go on for minutes ends at its limit, and the reader can be used afterwards."""
    endless = 'WITH RECURSIVE n ("x") AS (SELECT 1 UNION ALL SELECT "x" + 1 FROM n) SELECT COUNT(*) FROM n'

    def question(connection: StoreConnection) -> tuple[list[tuple[int, ...]], bool, int]:
        limit = SearchTime(connection, 0.2)
        return limit.ask(lambda: connection.execute(endless)), limit.is_over, connection.number("SELECT 7")

    assert site.service.store.read(question) == ([], True, 7)
