"""The examples of annotations, artifacts and hooks run as they are written, and name all that there is."""

import re
from pathlib import Path

import pytest

import pytest_automation_report
from docs.written import block, page
from pytest_automation_report import plugin
from support.checked_server import CheckedServer
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN, run_session, session_environment

PAGES = page("docs/annotations.md") + page("README.md")
CONFTEST = page("examples/hooks/conftest.py")


def _block(name: str) -> str:
    """Return the one block of the README and the page of annotations that begins with a comment of this file name."""
    (found,) = re.findall(rf"```\w+\n(# {re.escape(name)}\n.*?)```", PAGES, re.DOTALL)
    return str(found)


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_examples_run(workers: tuple[str, ...], tmp_path: Path, server: CheckedServer) -> None:
    """The example test, its settings and the four hooks lead to the result that is promised."""
    server.is_testmo = True
    root = tmp_path / "root"
    (root / "shared").mkdir(parents=True)
    for name in ("test_cart.py", "pytest.ini"):
        (root / name).write_text("from __future__ import annotations\n" * name.endswith("py") + _block(name))
    (root / "conftest.py").write_text(CONFTEST)
    env = session_environment(PIPELINE_URL="https://ci.example.com/7", SHARED_FOLDER=str(root / "shared"))
    ran = run_session(root, "--strict-markers", *workers, address=server.address, env=env, exits=0)
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


def test_short_example_runs(tmp_path: Path, server: CheckedServer) -> None:
    """The README's short example, alone in a folder, leads to its fields, step and artifact."""
    server.is_testmo = True
    (tmp_path / "test_checkout.py").write_text(_block("test_checkout.py"))
    run_session(tmp_path, address=server.address, exits=0)
    ((_, test),) = server.tests()
    assert [each["name"] for each in test["fields"]] == ["Steps", "Case", "browser", "dashboard"]
    assert [each["name"] for each in test["artifacts"]] == ["page.png"]


@pytest.mark.parametrize(
    ("part", "address"),
    [
        ("# pytest.ini: GitLab", r"https://ci\.example/7/artifacts/file/page\.png"),
        ("# pytest.ini: a bucket", r"https://artifacts\.example\.com/shop/[0-9a-f]{64}/page\.png"),
    ],
)
def test_settings_for_artifacts_make_addresses(part: str, address: str, tmp_path: Path) -> None:
    """The page's settings for files that the CI uploads, or that a store (here a folder) keeps, lead to addresses."""
    kept = tmp_path / "kept"
    settings = block("docs/annotations.md", part).replace("s3://test-artifacts/shop", str(kept))
    (tmp_path / "pytest.ini").write_text(settings)
    (tmp_path / "page.png").write_bytes(b"...")
    (tmp_path / "test_suite.py").write_text(
        "def test_ok(automation_report):\n    automation_report.artifact('page.png')\n"
    )
    with ScriptedServer(token=TOKEN) as server:
        env = session_environment(AUTOMATION_REPORT_JOB_URL="https://ci.example/7")
        run_session(tmp_path, address=server.address, env=env, exits=0)
        ((_, _, test),) = server.results
    (artifact,) = test["artifacts"]
    assert re.fullmatch(address, artifact["url"]), artifact
    assert kept.exists() == ("bucket" in part)


def test_every_marker_and_name_is_shown() -> None:
    """Each marker, and each function and type that the package offers for tests and hooks, is shown."""
    for line in plugin._MARKERS:
        assert f"`{line.partition('(')[0]}(" in PAGES
    offered = {"artifact", "field", "link", "step", "AutomationReport", "Additions", "RunAdditions", "Summary", "Field",
               "Link"}  # fmt: skip
    assert offered < set(pytest_automation_report.__all__)
    for name in offered:
        assert re.search(rf"import .*\b{name}\b", PAGES + CONFTEST), name


def test_all_that_is_offered_can_be_imported() -> None:
    """Every name in ``__all__`` is there, and no other name is made up."""
    assert set(pytest_automation_report.__all__) <= set(dir(pytest_automation_report))
    for name in pytest_automation_report.__all__:
        assert getattr(pytest_automation_report, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pytest_automation_report.nothing
