"""What users write to search tests: its parts, and what they select."""

import json
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest

from pytest_automation_report.server.store.searches import Term, mistakes_in, terms_of, toggled
from support.service import a_test
from support.website import Site, chips, failing, field, links, names, on

FILE = {"file": "tests/test_cart.py", "folder": "tests.test_cart"}
CASES = json.loads(Path(__file__).with_name("search_cases.json").read_text())


@pytest.mark.parametrize(("text", "terms"), CASES, ids=[case[0] or "empty" for case in CASES])
def test_a_search_has_words_phrases_node_ids_and_fields(text: str, terms: list[list[str]]) -> None:
    """The script of the report in one file reads the same cases (tests/sessions/server/test_report_browser.py)."""
    assert terms_of(text) == [Term(*term) for term in terms]


def test_a_term_is_added_and_taken_away() -> None:
    """A chip adds its term to what was written; once it is there, it takes it away and leaves the rest."""
    term = Term("owner", "web team")
    assert toggled("cart", term) == 'cart owner:"web team"'
    assert toggled('cart owner:"web team" is:new', term) == "cart is:new"
    assert terms_of(toggled("", term)) == [term]


def test_a_value_that_a_field_cannot_have_is_named() -> None:
    """Words of ``is`` and of ``status`` are known; other fields have any value."""
    assert mistakes_in("is:new status:Failed owner:x", ["new"]) == []
    assert mistakes_in("is:odd", ["new", "flaky"]) == ["is:odd is left out: write is: with new, flaky."]
    assert mistakes_in("status:odd", []) != []


def _shop(site: Site) -> int:
    """Return a run whose tests have owners, marks and browsers; the one before it makes a failure new."""
    web, slow = field("owner", "web"), field("slow", "yes")
    tests = [
        a_test(1, name="test_pay[webkit]", fields=[web], **FILE),
        a_test(2, name="test_pay[firefox]", fields=[field("Owner", "shop"), slow], **FILE),
        a_test(3, name="test_ship[webkit-1]", status="skipped", file="tests/ship.py", folder="tests.ship"),
        a_test(6, name="test_tax", fields=[field("Unexpected pass", "bug 7 " * 20)], **FILE),
        a_test(5, name="test_owner", fields=[field("log", 'said "name":"owner","value":"web"', 4)], **FILE),
    ]
    failed = {"name": "test_sum", **FILE}
    site.run_of(*tests, a_test(4, **failed), **on("main"))
    return site.run_of(*tests, {**failing(4, **failed), "fields": [*failing()["fields"], web]}, **on("main"))


SELECTED = [
    ("owner:web", ["test_sum", "test_pay[webkit]"]),
    ("OWNER:Web status:passed", ["test_pay[webkit]"]),
    ("owner:web owner:shop", ["test_sum", "test_pay[webkit]", "test_pay[firefox]"]),
    ("owner:we", []),
    ("mark:slow", ["test_pay[firefox]"]),
    ("browser:webkit", ["test_ship[webkit-1]", "test_pay[webkit]"]),
    ("param:1", ["test_ship[webkit-1]"]),
    ("file:ship", ["test_ship[webkit-1]"]),
    ("is:new", ["test_sum"]),
    ("is:new is:flaky assert", ["test_sum"]),
    ("is:xpass", ["test_tax"]),
    ("is:odd pay webkit", ["test_pay[webkit]"]),
    ("90 test_sum", ["test_sum"]),
    ('"sum 90"', []),
    (
        "status:skipped,",
        ["test_sum", "test_ship[webkit-1]", "test_pay[webkit]", "test_pay[firefox]", "test_tax", "test_owner"],
    ),
]


@pytest.mark.parametrize(("text", "found"), SELECTED, ids=[text for text, _ in SELECTED])
def test_fields_select_tests(site: Site, text: str, found: list[str]) -> None:
    """Each word and each field must fit, of one field any value; a wrong value selects nothing and is named."""
    run = _shop(site)
    html = site.shown(f"/runs/{run}?q={quote(text)}")
    assert sorted(names(html)) == sorted(found)
    wrong = [each for each in ("is:odd", "status:skipped,") if each in text]
    assert [
        line for line in wrong if f"{line} is left out: write" not in site.text(f"/runs/{run}?q={quote(text)}")
    ] == []


def test_chips_have_the_fields_that_differ(site: Site) -> None:
    """Fields, marks, browsers and parameters have chips if their two to eight values have two tests each.

    Tickets of one test, rare marks and parameters, words in an id and numbers have none; an unexpected pass has one.
    """
    owned = zip("aabbcc", product(("pay", "ship"), ("chromium", "firefox", "webkit")), strict=True)
    tests = [
        a_test(number, name=f"test_{name}[{browser}]", fields=[field("owner", owner), field("ticket", str(number))])
        for number, (owner, (name, browser)) in enumerate(owned)
    ]
    prices = [f"price[{currency}-{number}]" for currency, number in product(("eur", "usd"), "12")]
    tests += [
        a_test(number, name=f"test_{name}", fields=[field("slow", "yes")] if "eur" in name else [])
        for number, name in enumerate(("text[escape-no-key]", "text[no-escape]", "text[key]", *prices), 10)
    ]
    tests[0]["fields"].append(field("rare", "yes"))
    run = site.run_of(*tests)
    assert chips(site.shown(f"/runs/{run}")) == {
        "Passed": "13", "owner: a": "2", "owner: b": "2", "owner: c": "2", "browser: chromium": "2",
        "browser: firefox": "2", "browser: webkit": "2", "mark: slow": "2", "param: eur": "2", "param: usd": "2",
    }  # fmt: skip
    others = (a_test(number, name=f"test_{number}") for number in range(20, 90))
    assert not any(chip.startswith("param") for chip in chips(site.shown(f"/runs/{site.run_of(*tests, *others)}")))
    assert f"/runs/{run}?view=tests&q=pay+owner%3Aa" in links(site.shown(f"/runs/{run}?q=pay"))
    assert f"/runs/{run}?view=tests&q=pay" in links(site.shown(f"/runs/{run}?q=pay+owner%3Aa"))
    assert chips(site.shown(f"/runs/{_shop(site)}"))["xpass"] == "1"


def test_all_chips_of_a_search_are_of_it(site: Site) -> None:
    """Numbers of statuses and of changes are those of the tests that the search finds; no other number stands there."""
    run = _shop(site)
    assert chips(site.shown(f"/runs/{run}"))["New"] == "1"
    shown = chips(site.shown(f"/runs/{run}?q=pay"))
    assert (shown["Passed"], shown.get("New")) == ("2", None)
    assert chips(site.shown(f"/runs/{run}?q=sum"))["New"] == "1"
    assert "1 test with “ sum ”" in site.text(f"/runs/{run}?q=sum")


def test_statuses_of_an_address_are_words_or_numbers(site: Site) -> None:
    """``failed`` is as good as its number."""
    run = _shop(site)
    assert names(site.shown(f"/runs/{run}?status=failed")) == names(site.shown(f"/runs/{run}?status=3")) == ["test_sum"]
    assert len(names(site.shown(f"/runs/{run}?status=Failed,skipped"))) == 2
