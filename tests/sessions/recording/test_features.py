"""Scenarios of pytest-bdd are tests of their own file, and have the place of their feature."""

import pytest

from support.projects import Project, console

pytest.importorskip("pytest_bdd.scenario")

FEATURE = """Feature: Cart

  Scenario: Pay by card
    Given a cart with 3 articles
    Then the total is 4

  Scenario Outline: Discounts
    Given a cart with <n> articles
    Then the total is <t>

    Examples:
      | n | t |
      | 1 | 1 |
      | 2 | 3 |
"""
STEPS = """
from pytest_bdd import given, parsers, scenarios, then

scenarios("features/cart.feature")

@given(parsers.parse("a cart with {n:d} articles"), target_fixture="cart")
def cart(n):
    return n

@then(parsers.parse("the total is {t:d}"))
def total(cart, t):
    assert cart == t
"""


@pytest.mark.parametrize("options", [(), ("-n1",)], ids="".join)
def test_a_scenario_has_its_place_and_a_command(project: Project, options: tuple[str, ...]) -> None:
    """Node ids that the digest prints are those that pytest finds, and a field has the line of the feature."""
    project.write("tests/features/cart.feature", FEATURE)
    project.write("tests/test_cart.py", STEPS)
    project.report(*options, exits=1)
    names = ["tests/test_cart.py::test_pay_by_card", "tests/test_cart.py::test_discounts[2-3]"]
    shown = console(project.root, "failures").out
    assert [name for name in names if name not in shown.partition("pytest ")[2]] == []
    fields = console(project.root, "run", "export", "1", "--format", "json").out
    assert [place for place in (":3", ":7") if f"tests/features/cart.feature{place}" not in fields] == []
    assert "site-packages/pytest_bdd/scenario.py" not in fields.replace("\\", "/").partition("Traceback")[0][:400]
    project.report(*names, exits=1)
