"""Commits and versions between a run and its base."""

import pytest

from pytest_automation_report.server.pages.run.changes import changed_software, commits_since

COMMITS = "ccccccccc3 third\nbbbbbbbbb2 second one\naaaaaaaaa1"


@pytest.mark.parametrize(
    ("base", "shown"),
    [
        ("aaaaaaaaa1" + 30 * "0", [("ccccccc", "third"), ("bbbbbbb", "second one")]),
        ("bbbbbbbbb2" + 30 * "0", [("ccccccc", "third")]),
        ("ccccccccc3" + 30 * "0", []),
        # Commits that do not reach back to the base are not all of those between.
        ("dddddddddd" + 30 * "0", []),
        (None, []),
    ],
)
def test_commits_between_are_all_or_none(base: str | None, shown: list[tuple[str, str]]) -> None:
    """Those after the base's commit, newest first, if the run's list reaches back to it."""
    assert [(commit["hash"], commit["subject"]) for commit in commits_since(COMMITS, base)] == shown


def changed(before: dict[str, str], after: dict[str, str]) -> list[tuple[str, str, str]]:
    found = changed_software(lambda name: before.get(name, ""), lambda name: after.get(name, ""))
    return [(entry["name"], entry["before"], entry["after"]) for entry in found]


def test_versions_that_differ_are_shown() -> None:
    """The interpreter, and packages that have another version, are new or are gone."""
    before = {"Python": "3.11.2", "OS": "Debian 12", "Packages": "attrs 23.1\nnumpy 1.26\nsix 1.16", "pytest": "8.4"}
    after = {"Python": "3.12.1", "OS": "Debian 12", "Packages": "attrs 23.1\nnumpy 2.0\nurllib3 2.2", "pytest": "8.5"}
    assert changed(before, after) == [
        ("Python", "3.11.2", "3.12.1"),
        ("numpy", "1.26", "2.0"),
        ("six", "1.16", ""),
        ("urllib3", "", "2.2"),
    ]
    assert changed(before, before) == []


def test_without_all_packages_those_of_pytest_are_compared() -> None:
    """Runs of other clients have the names of pytest's plugins."""
    before = {"pytest": "8.4.0", "Plugins": "pytest-cov 5.0, pytest-xdist 3.5"}
    after = {"pytest": "8.4.1", "Plugins": "pytest-cov 6.0, pytest-xdist 3.5", "Packages": "pytest-cov 6.0"}
    assert changed(before, after) == [("pytest", "8.4.0", "8.4.1"), ("pytest-cov", "5.0", "6.0")]
    assert changed({}, after) == []
    assert changed({"Packages": "a 1"}, {}) == []


def test_a_list_that_was_cut_calls_no_package_new_or_gone() -> None:
    """Packages after the cut are unknown."""
    many = "\n".join(f"package-{number:04d} 1.0" for number in range(1_000))
    assert changed({"Packages": f"a 1\n{many}"}, {"Packages": "a 2\nb 1"}) == [("a", "1", "2")]
