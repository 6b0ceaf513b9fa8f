"""The README's examples of annotations and hooks run as they are written, and name all that there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from checked import CheckedServer
from sessions import TOKEN, run_session, session_environment

import pytest_automation_report
from pytest_automation_report import hookspecs, plugin

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
HOOKS = [name for name in vars(hookspecs) if name.startswith("pytest_automation")]


def _block(name: str) -> str:
    """Return the README's one block that begins with a comment of this file name."""
    (found,) = re.findall(rf"```\w+\n(# {re.escape(name)}\n.*?)```", README, re.DOTALL)
    return str(found)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CheckedServer]:
    with CheckedServer(tmp_path / "server.sqlite3", TOKEN) as server:
        yield server


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_examples_run(workers: tuple[str, ...], tmp_path: Path, server: CheckedServer) -> None:
    """The example test, its settings and the four hooks lead to the result that the README promises."""
    root = tmp_path / "root"
    (root / "shared").mkdir(parents=True)
    for name in ("test_cart.py", "conftest.py", "pytest.ini"):
        (root / name).write_text("from __future__ import annotations\n" * name.endswith("py") + _block(name))
    env = session_environment(PIPELINE_URL="https://ci.example.com/7", SHARED_FOLDER=str(root / "shared"))
    ran = run_session(root, "--strict-markers", *workers, address=server.address, env=env)
    assert ran.exit == 0, ran.text
    ((_, test),) = server.tests()
    assert test["fields"][0]["name"] == "Steps"
    fields = [(each["name"], each["value"]) for each in test["fields"]]
    assert set(fields[1:4]) == {
        ("Case", "https://example.testmo.net/repositories/1?case=C123"),
        ("Issue", "https://example.atlassian.net/browse/PROJ-1"),
        ("owner", "web team"),
    }
    assert fields[4:-1] == [
        ("customer", "ann@example.com"),
        ("browser", "firefox 128"),
        ("request", "GET /\nHost: shop"),
        ("dashboard", "https://grafana.example.com/d/7"),
    ]
    assert fields[-1][0] == "fixtures"
    assert {"automation_report", "cart", "tmp_path"} <= set(fields[-1][1].split(", "))
    assert re.findall(r"<test-step status=\"passed\">(.*?)</test-step>", test["fields"][0]["value"]) == [
        "fill the cart",
        "pay",
        "\u203a enter the card",
        "empty the cart",
    ]
    assert [each["url"] for each in test["artifacts"]] == [
        "https://files.example.com/trace.zip",
        "https://files.example.com/page.png",
    ]
    (run,) = server.runs()
    assert run["tags"] == ["nightly"]
    assert run["links"] == [{"name": "pipeline", "url": "https://ci.example.com/7"}]
    assert (root / "report.txt").read_text() == f"1 delivered, see {server.address}/automation/runs/view/1"
    assert "pytest_automation_report" not in ran.out


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_shown_with_its_arguments(hook: str) -> None:
    """Each hook stands in the README's example with the very arguments that it is called with."""
    arguments = inspect.signature(getattr(hookspecs, hook)).parameters.values()
    written = ", ".join(f"{each.name}: {each.annotation}" for each in arguments)
    assert f"def {hook}({written})" in _block("conftest.py")


def test_there_are_four_hooks() -> None:
    """The list of hooks that the test above runs over is not empty by mistake."""
    assert len(HOOKS) == 4


def test_every_marker_and_name_is_in_the_readme() -> None:
    """Each marker, and each function and type that the package offers for tests and hooks, stands in the README."""
    for line in plugin._MARKERS:
        assert f"`{line.partition('(')[0]}(" in README
    offered = {"artifact", "field", "link", "step", "AutomationReport", "Additions", "RunAdditions", "Summary", "Field",
               "Link"}  # fmt: skip
    assert offered < set(pytest_automation_report.__all__)
    for name in offered:
        assert re.search(rf"import .*\b{name}\b", README), name


def test_all_that_is_offered_can_be_imported() -> None:
    """Every name in ``__all__`` is there, and no other name is made up."""
    assert set(pytest_automation_report.__all__) <= set(dir(pytest_automation_report))
    for name in pytest_automation_report.__all__:
        assert getattr(pytest_automation_report, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pytest_automation_report.nothing
