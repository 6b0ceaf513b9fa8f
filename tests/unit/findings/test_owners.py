"""A CODEOWNERS file is read by the rules of GitHub and of GitLab."""

import pytest

from pytest_automation_report.findings.known import CodeOwners, owned_repository

GITHUB = r"""
# everything else
*           @org/all
*_db.py     @dba  # inline
/build/     @ops
docs/*      docs@example.com
apps/       @apps
/apps/github
**/logs     @logs @ops
/a\ b/**/c/*.py @spaces
**/anywhere.py @any
!anywhere.py
"""

GITLAB = """
* @default
[Database] @dba @dbo
db/
/db/own.py @me
^[Docs][2]
docs/*.md @writers
!docs/x/
/docs/x/a.md @late
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("test_a.py", "@org/all"),
        ("deep/inside/test_db.py", "@dba"),
        ("build/x/test_a.py", "@ops"),
        ("x/build/test_a.py", "@org/all"),
        ("docs/test_a.py", "docs@example.com"),
        ("docs/x/test_a.py", "@org/all"),
        ("x/docs/test_a.py", "@org/all"),
        ("x/apps/y/test_a.py", "@apps"),
        ("apps/github/test_a.py", ""),
        ("x/logs/test_a.py", "@logs @ops"),
        ("a b/x/y/c/t.py", "@spaces"),
        ("a b/c/t.py", "@spaces"),
        ("a b/c/d/t.py", "@org/all"),
        ("anywhere.py", "@any"),
        ("x/y/anywhere.py", "@any"),
    ],
)
def test_github(path: str, owners: str) -> None:
    """The last rule that matches counts, patterns are gitignore's, and a rule without owners frees a file."""
    assert CodeOwners(GITHUB, ".github/CODEOWNERS").of(path) == owners


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("test_a.py", "@default"),
        ("x/db/test_a.py", "@default @dba @dbo"),
        ("db/own.py", "@default @me"),
        ("x/docs/a.md", "@default @writers"),
        ("x/docs/y/a.md", "@default"),
        ("docs/x/a.md", "@default"),
    ],
)
def test_gitlab(path: str, owners: str) -> None:
    """Each section has an owner; its entries have the owners of its head, or exclude files, in any folder."""
    assert CodeOwners(GITLAB).of(path) == owners


def test_a_mark_of_the_encoding_is_no_part_of_a_pattern() -> None:
    """Editors on Windows write a byte order mark before the first line."""
    assert CodeOwners("\ufefftest_*.py @a\n").of("test_a.py") == "@a"


BACKSLASHES = [
    ("\\", "\\", False),
    ("\\", "a.py", False),
    ("docs\\", "docs", False),
    ("docs\\", "docs\\", False),
    ("docs\\\\", "docs\\", True),
    ("\\*.py", "*.py", True),
    ("\\*.py", "a.py", False),
    ("a\\?b", "a?b", True),
    ("a\\?b", "acb", False),
    ("\\!a", "!a", True),
    ("\\#a", "#a", True),
    ("\\[a\\]", "[a]", True),
    ("x/\\a\\b.py", "x/ab.py", True),
    ("x\\ y.py", "x y.py", True),
    ("x\\ ", "x ", True),
    ("x\\ ", "x", False),
    ("x/\\**", "x/*a", True),
    ("x/\\**", "x/a", False),
]


@pytest.mark.parametrize(("pattern", "path", "matches"), BACKSLASHES)
def test_backslashes(pattern: str, path: str, *, matches: bool) -> None:
    """A backslash makes the next character a plain one, as for git; at a pattern's end nothing matches."""
    assert CodeOwners(f"{pattern} @a\n").of(path) == ("@a" if matches else "")
    assert CodeOwners(f"* @all\n{pattern}").of(path) == ("" if matches else "@all")


@pytest.mark.parametrize("file", ["/r/CODEOWNERS", "/r/.github/CODEOWNERS", "/r/docs/CODEOWNERS"])
def test_repository(file: str) -> None:
    """The rules are about the repository, wherever the file of it stands."""
    assert owned_repository(file) == "/r"
