"""Compare a run with its base: commits between the two, versions of interpreter, system and packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.text.names import SHORT_COMMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_automation_report.api.models import Json


_CUT_LENGTH: Final = 16_000
"""Length of a list of packages from which it may have been cut: clients send 16,384 characters."""


def commits_since(text: str, base_commit: str | None) -> list[Json]:
    """Return the commits of a run since its base, newest first; ``text`` has one in a line, hash and subject.

    Empty if the base's commit is not among them: then they are not all.
    """
    commits: list[Json] = []
    for line in text.splitlines():
        commit, _, subject = line.strip().partition(" ")
        if commit and base_commit and (base_commit.startswith(commit) or commit.startswith(base_commit)):
            return commits
        if commit:
            commits.append({"hash": commit[:SHORT_COMMIT], "subject": subject})
    return []


def changed_software(before: Callable[[str], str], after: Callable[[str], str]) -> list[Json]:
    """Return interpreter, system and packages that differ between two runs, as name, version before and version now.

    Both functions return the value of a run's field by its name, empty without it. The other version is empty for a
    package that was installed or removed. Without a list of all packages those of pytest's plugins are compared.
    """
    changed = [
        {"name": name, "before": before(name), "after": after(name)}
        for name in ("Python", "OS")
        if before(name) and after(name) and before(name) != after(name)
    ]
    names = ("Packages",) if before("Packages") and after("Packages") else ("pytest", "Plugins")
    old, new = (_versions([(name, value(name)) for name in names]) for value in (before, after))
    # A list that was cut at its end shows nothing of the packages after it.
    is_cut = any(len(value("Packages")) > _CUT_LENGTH for value in (before, after))
    packages = old.keys() & new.keys() if is_cut else old.keys() | new.keys()
    if old and new:
        changed += [
            {"name": name, "before": old.get(name, ""), "after": new.get(name, "")}
            for name in sorted(packages)
            if old.get(name) != new.get(name)
        ]
    return changed


def _versions(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return versions by names: one for each line, for each part between commas, or for a field of one version."""
    versions: dict[str, str] = {}
    for field_name, value in fields:
        for part in value.replace(", ", "\n").split("\n"):
            name, blank, version = part.rpartition(" ")
            if blank:
                versions[name.lower()] = version
            elif version:
                versions[field_name.lower()] = version
    return versions
