"""What is read of a git checkout, made by git itself."""

from __future__ import annotations

import os
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.ci.facts import BuildInfo
from pytest_automation_report.ci.git import checkout_facts

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
}
REMOTE = "https://ann:secret@github.com/ann/shop.git"
PAGE = "https://github.com/ann/shop"


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it writes."""
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with two commits on the branch feature/x."""
    root = tmp_path / "shop"
    (root / "tests").mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch", "feature/x")
    for word in ("one", "two"):
        git(root, "commit", "--quiet", "--allow-empty", "--message", word)
    git(root, "remote", "add", "upstream", "https://github.com/other/shop.git")
    git(root, "remote", "add", "origin", REMOTE)
    return root


def test_branch_commit_and_page(repository: Path) -> None:
    """Branch, commit and the repository's page are known in each folder, the page without user and password."""
    commit = git(repository, "rev-parse", "HEAD")
    expected = BuildInfo(branch="feature/x", commit=commit, commit_subject="two", repository=PAGE)
    assert checkout_facts(repository) == expected
    assert checkout_facts(repository / "tests") == expected


def test_packed_references(repository: Path) -> None:
    """A branch that git has packed has its commit."""
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "branch", "feature-x")
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git" / "refs" / "heads" / "feature" / "x").exists()
    assert checkout_facts(repository).commit == commit


def test_subject_of_the_commit(repository: Path) -> None:
    """The first line of a long message is the commit's subject; a damaged commit has none, and no error."""
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "Bücher ausleihen\n\n" + "long text\n" * 12_000)
    commit = git(repository, "rev-parse", "HEAD")
    assert checkout_facts(repository).commit_subject == "Bücher ausleihen"
    file = repository / ".git" / "objects" / commit[:2] / commit[2:]
    whole = file.read_bytes()
    file.chmod(0o600)
    for damaged in (b"", whole[:9], b"no object", zlib.compress(b"blob 3\0one"), zlib.compress(b"commit 4\0tree")):
        file.write_bytes(damaged)
        assert (checkout_facts(repository).commit, checkout_facts(repository).commit_subject) == (commit, None)


LONG = "\n".join(f"The {number}th line of a message that all commits have." for number in range(40))


@pytest.mark.parametrize(
    "way",
    [
        ["gc", "--quiet", "--prune=now"],
        ["repack", "-adfq", "--depth=50"],
        ["-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq", "--depth=50"],
        ["-c", "pack.indexVersion=2", "repack", "-adfq", "--write-midx"],
    ],
    ids=["tidied up", "differences", "differences by name", "index of packs"],
)
def test_packed_commits(repository: Path, way: list[str]) -> None:
    """Commits in packs have their subjects, also those that git keeps as differences to others."""
    for number in range(12):
        git(repository, "commit", "--quiet", "--allow-empty", "--message", f"number {number}\n\n{LONG}\n{number}")
    git(repository, *way)
    assert not list((repository / ".git" / "objects").glob("[0-9a-f][0-9a-f]/*"))
    bases = git(repository, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(deltabase)")
    deltas = [line for line in bases.splitlines() if line.startswith("commit") and line.strip("0") != "commit "]
    assert len(deltas) > 6
    lines = git(repository, "log", "--format=%H %s").splitlines()
    expected = "\n".join(f"{line.split()[0][:10]} {line.partition(' ')[2]}" for line in lines)
    assert checkout_facts(repository, is_local=True).commits == expected


def test_commits_with_very_long_messages(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subject is known also if git keeps its commit as a copy of all of the first 64 KiB of another one."""
    for person in ("AUTHOR", "COMMITTER"):
        monkeypatch.setitem(ENVIRONMENT, f"GIT_{person}_DATE", "1700000000 +0000")
    text = "\n".join(f"{number * number} is the square of {number}." for number in range(3000))
    assert len(text) > 64 * 1024
    commits = [git(repository, "commit-tree", "HEAD^{tree}", "-m", f"squares\n\n{text}\n{end}") for end in "ab"]
    for commit in commits:
        git(repository, "branch", f"of-{commit}", commit)
    git(repository, "repack", "-adfq")
    bases = git(repository, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(deltabase)").splitlines()
    assert any(f"{name} {base}" in bases for name, base in (commits, reversed(commits)))
    for commit in commits:
        git(repository, "checkout", "--quiet", f"of-{commit}")
        assert checkout_facts(repository).commit_subject == "squares"


def test_a_large_or_damaged_pack(repository: Path) -> None:
    """Objects beyond the first 2 GB of a pack are found; a damaged pack or index leaves the subject out, no more."""
    git(repository, "gc", "--quiet", "--prune=now")
    commit = git(repository, "rev-parse", "HEAD")
    (pack,) = (repository / ".git" / "objects" / "pack").glob("*.pack")
    index = pack.with_suffix(".idx")
    index.unlink()
    git(repository, "index-pack", "--index-version=2,0x1", str(pack))
    assert checkout_facts(repository).commit_subject == "two"
    for file, inside in ((index, 1040), (pack, 14)):
        file.chmod(0o600)
        whole = file.read_bytes()
        for damaged in (b"", whole[:9], whole[:inside], whole[:12] + b"\xff" * (len(whole) - 12)):
            file.write_bytes(damaged)
            assert (checkout_facts(repository).commit, checkout_facts(repository).commit_subject) == (commit, None)
        file.write_bytes(whole)
    assert checkout_facts(repository).commit_subject == "two"


def test_commits_of_another_repository(repository: Path, tmp_path: Path) -> None:
    """A clone that uses the objects of another repository has their subjects, in packs or not."""
    git(tmp_path, "clone", "--quiet", "--shared", str(repository), "shared")
    assert checkout_facts(tmp_path / "shared").commit_subject == "two"
    git(repository, "gc", "--quiet", "--prune=now")
    assert checkout_facts(tmp_path / "shared").commit_subject == "two"


def test_commits_before(repository: Path) -> None:
    """Outside of CI the last 20 commits are known, merges as one."""
    git(repository, "gc", "--quiet")
    for number in range(3):
        git(repository, "commit", "--quiet", "--allow-empty", "--message", f"number {number}\n\nmore")
    git(repository, "checkout", "--quiet", "-b", "side", "HEAD~1")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "aside")
    git(repository, "checkout", "--quiet", "feature/x")
    git(repository, "merge", "--quiet", "--no-ff", "--message", "merge side", "side")
    hashes = git(repository, "log", "--first-parent", "--format=%H").split()
    subjects = ["merge side", "number 2", "number 1", "number 0", "two", "one"]
    lines = [f"{commit[:10]} {subject}" for commit, subject in zip(hashes, subjects, strict=True)]
    assert checkout_facts(repository).commits is None
    assert checkout_facts(repository, is_local=True).commits == "\n".join(lines)
    for number in range(3, 30):
        git(repository, "commit", "--quiet", "--allow-empty", "--message", f"number {number}")
    commits = (checkout_facts(repository, is_local=True).commits or "").split("\n")
    assert [line.partition(" ")[2] for line in commits] == [f"number {number}" for number in range(29, 9, -1)]


def test_detached_head(repository: Path) -> None:
    """A commit that was checked out by its id has no branch."""
    first = git(repository, "rev-parse", "HEAD~1")
    git(repository, "checkout", "--quiet", first)
    assert checkout_facts(repository) == BuildInfo(commit=first, commit_subject="one", repository=PAGE)


def test_shallow_clone(repository: Path, tmp_path: Path) -> None:
    """A clone without history tells as much of its only commit; a path on a disk has no page."""
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repository}", "shallow")
    commit = git(repository, "rev-parse", "HEAD")
    expected = BuildInfo(branch="feature/x", commit=commit, commit_subject="two")
    assert checkout_facts(tmp_path / "shallow") == expected


def test_working_tree(repository: Path, tmp_path: Path) -> None:
    """Another working tree of a repository has its own branch and the repository's page."""
    git(repository, "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "tree"))
    commit = git(repository, "rev-parse", "HEAD")
    assert checkout_facts(tmp_path / "tree") == BuildInfo(
        branch="other", commit=commit, commit_subject="two", repository=PAGE
    )


def test_submodule(repository: Path, tmp_path: Path) -> None:
    """A submodule tells of itself, not of the repository around it."""
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "--quiet", "--initial-branch", "main")
    git(inner, "commit", "--quiet", "--allow-empty", "--message", "inner")
    git(repository, "submodule", "--quiet", "add", str(inner), "inner")
    found = checkout_facts(repository / "inner")
    assert (found.branch, found.commit) == ("main", git(inner, "rev-parse", "HEAD"))


def test_before_the_first_commit(tmp_path: Path) -> None:
    """A repository without commits has a branch and nothing else."""
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    assert checkout_facts(tmp_path) == BuildInfo(branch="main")


def test_no_repository(tmp_path: Path) -> None:
    """Without a repository, or with a folder that only looks like one, nothing is known."""
    assert checkout_facts(tmp_path) == BuildInfo()
    (tmp_path / ".git").mkdir()
    assert checkout_facts(tmp_path) == BuildInfo()
    assert checkout_facts(tmp_path / "no\0path") == BuildInfo()
    assert checkout_facts(tmp_path / ("n" * 300)) == BuildInfo()


@pytest.mark.parametrize(
    "head", ["", "ref:", "ref: refs/heads/\0", "nonsense", "ref: refs/heads/" + "x" * 5000, "\xff"]
)
def test_damaged_repository(tmp_path: Path, head: str) -> None:
    """A HEAD that cannot be understood has no commit, and is no error."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head)
    assert checkout_facts(tmp_path).commit is None


def test_only_remote_counts(repository: Path) -> None:
    """The only remote counts whatever it is called; of several without origin none does."""
    git(repository, "remote", "remove", "origin")
    assert checkout_facts(repository).repository == "https://github.com/other/shop"
    git(repository, "remote", "add", "third", REMOTE)
    assert checkout_facts(repository).repository is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_checkout_of_another_user(repository: Path) -> None:
    """A checkout that git refuses since it belongs to another user is read all the same."""
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 12345, 12345)
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "rev-parse", "HEAD")
    found = checkout_facts(repository)
    assert found.branch == "feature/x"
    assert found.commit is not None


def test_reftable_has_no_branch_and_no_commit(tmp_path: Path) -> None:
    """In a repository with the reftable format the remote is read; branch and commit are unknown, never wrong."""
    root = tmp_path / "tables"
    root.mkdir()
    try:
        git(root, "init", "--quiet", "--ref-format", "reftable", "--initial-branch", "main")
    except subprocess.CalledProcessError:
        # As git 2.45 and later write it.
        git(root, "init", "--quiet")
        (root / ".git" / "HEAD").write_text("ref: refs/heads/.invalid\n")
    git(root, "remote", "add", "origin", REMOTE)
    assert checkout_facts(root) == BuildInfo(repository=PAGE)


@pytest.fixture
def files(repository: Path) -> Path:
    """Return the repository with a commit of three files, one a link, and with a file that git does not know."""
    (repository / "tests" / "test_a.py").write_text("def test_a(): pass\n")
    (repository / "run.sh").write_text("true\n")
    (repository / "run.sh").chmod(0o755)
    (repository / "link").symlink_to("run.sh")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "files")
    (repository / "notes.txt").write_text("not of git\n")
    return repository


def changes(repository: Path) -> str | None:
    return checkout_facts(repository / "tests", is_local=True).uncommitted_changes


def test_a_clean_checkout(files: Path) -> None:
    """Files as they were committed are no changes, nor is a file that git does not know; other runs do not look."""
    assert changes(files) is None
    (files / "run.sh").write_text("false\n")
    assert checkout_facts(files).uncommitted_changes is None


@pytest.mark.parametrize("change", ["content", "time", "removed", "staged", "new", "link", "conflict"])
def test_uncommitted_changes(files: Path, change: str) -> None:
    """A file that is changed, missing, or put into the index, makes a run one of uncommitted changes."""
    script = files / "run.sh"
    if change == "content":
        script.write_text("false\n")
    elif change == "time":
        os.utime(script, ns=(1, 1))
    elif change == "removed":
        script.unlink()
    elif change == "staged":
        script.write_text("false\n")
        git(files, "add", "run.sh")
    elif change == "new":
        git(files, "add", "notes.txt")
    elif change == "link":
        (files / "link").unlink()
        (files / "link").symlink_to("tests")
    else:
        git(files, "checkout", "--quiet", "-b", "other", "HEAD")
        script.write_text("other\n")
        git(files, "commit", "--quiet", "-am", "other")
        git(files, "checkout", "--quiet", "feature/x")
        script.write_text("own\n")
        git(files, "commit", "--quiet", "-am", "own")
        with pytest.raises(subprocess.CalledProcessError):
            git(files, "merge", "other")
    assert changes(files) == "yes"
    git(files, "reset", "--quiet", "--hard")
    assert changes(files) is None


def test_marked_files_are_left_out(files: Path) -> None:
    """A file that git is told to take for unchanged, or that a sparse checkout lacks, is no change."""
    git(files, "update-index", "--assume-unchanged", "run.sh")
    git(files, "update-index", "--skip-worktree", "tests/test_a.py")
    git(files, "commit", "--quiet", "--allow-empty", "--message", "the index is that of a commit again")
    (files / "run.sh").write_text("false\n")
    (files / "tests" / "test_a.py").unlink()
    assert changes(files) is None


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign", "version-4", "large"])
def test_an_index_that_cannot_be_compared(files: Path, damage: str) -> None:
    """What is not known counts as changed: then no test is called flaky for what its author changed."""
    index = files / ".git" / "index"
    if damage == "missing":
        index.unlink()
    elif damage == "cut":
        index.write_bytes(index.read_bytes()[:100])
    elif damage == "foreign":
        index.write_bytes(b"no index at all" * 20)
    elif damage == "large":
        with index.open("ab") as file:
            file.truncate(2 * 1024 * 1024)
    else:
        git(files, "update-index", "--index-version", "4")
    assert changes(files) == "yes"
