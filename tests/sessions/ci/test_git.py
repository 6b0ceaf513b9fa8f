"""What is known of a git checkout: git itself makes it, and is asked."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

import pytest
from msgspec.structs import replace

from pytest_automation_report.ci.detection import Checkout, ci_facts, facts_for
from pytest_automation_report.ci.facts import BuildInfo
from support.ci_environments import PUSHES
from support.needs import needed
from support.projects import wait_for_death

ENVIRONMENT = {
    "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org",
}  # fmt: skip
REMOTE = "https://ann:secret@github.com/ann/shop.git"
PAGE = "https://github.com/ann/shop"


def checkout_facts(folder: Path, *, is_local: bool = False, environ: Mapping[str, str] = ENVIRONMENT) -> BuildInfo:
    return Checkout(folder, environ, is_local=is_local).facts()


def git(folder: Path, *arguments: str, **variables: str) -> str:
    command = [str(needed("git")), "-c", "protocol.file.allow=always", *arguments]
    env = {**ENVIRONMENT, **variables}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout.strip()


def commit(folder: Path, *messages: str) -> None:
    """Make a commit of nothing, or of what is in the index, with each message."""
    for each in messages:
        git(folder, "commit", "--quiet", "--allow-empty", "--allow-empty-message", "--message", each)


def new_repository(folder: Path, branch: str = "main") -> Path:
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch", branch)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with two commits on the branch feature/x."""
    root = tmp_path / "shop"
    new_repository(root, "feature/x")
    (root / "tests").mkdir()
    commit(root, "one", "two")
    git(root, "remote", "add", "upstream", "https://github.com/other/shop.git")
    git(root, "remote", "add", "origin", REMOTE)
    return root


def test_branch_commit_and_page(repository: Path) -> None:
    """Branch, commit and the repository's page are known in each folder, the page without user and password."""
    head = git(repository, "rev-parse", "HEAD")
    lines = git(repository, "rev-list", "HEAD").split()
    ancestors = tuple(line[:10] for line in lines)
    expected = BuildInfo(
        branch="feature/x", commit=head, commit_subject="two", author="Ann", repository=PAGE, ancestors=ancestors
    )
    assert checkout_facts(repository) == expected
    assert checkout_facts(repository / "tests") == expected


def test_subject_of_the_commit(repository: Path) -> None:
    """The first line of a long message is the commit's subject, in any language; a commit may have none."""
    commit(repository, "Bücher ausleihen\n\n" + "long text\n" * 12_000)
    assert checkout_facts(repository).commit_subject == "Bücher ausleihen"
    commit(repository, "")
    found = checkout_facts(repository, is_local=True)
    assert (found.commit, found.commit_subject) == (git(repository, "rev-parse", "HEAD"), None)
    first, second, *_ = (found.commits or "").split("\n")
    assert (first, second.partition(" ")[2]) == ((found.commit or "")[:7], "Bücher ausleihen")


@pytest.mark.parametrize(
    ("name", "value"),
    [("log.showSignature", "true"), ("i18n.logOutputEncoding", "latin1"), ("color.ui", "always"), ("log.date", "iso")],
)
def test_settings_of_git_change_nothing(repository: Path, name: str, value: str) -> None:
    """Whatever a user has set for git's own output, the facts are the same."""
    commit(repository, "Bücher ausleihen")
    expected = checkout_facts(repository, is_local=True)
    assert expected.commit_subject == "Bücher ausleihen"
    git(repository, "config", name, value)
    assert checkout_facts(repository, is_local=True) == expected


def test_commits_before(repository: Path) -> None:
    """Outside of CI the last 20 commits are known, merges as one."""
    git(repository, "gc", "--quiet")
    commit(repository, *(f"number {number}\n\nmore" for number in range(3)))
    git(repository, "checkout", "--quiet", "-b", "side", "HEAD~1")
    commit(repository, "aside")
    git(repository, "checkout", "--quiet", "feature/x")
    git(repository, "merge", "--quiet", "--no-ff", "--message", "merge side", "side")
    hashes = git(repository, "log", "--first-parent", "--format=%H").split()
    subjects = ["merge side", "number 2", "number 1", "number 0", "two", "one"]
    lines = [f"{each[:7]} {subject}" for each, subject in zip(hashes, subjects, strict=True)]
    assert checkout_facts(repository).commits is None
    assert checkout_facts(repository, is_local=True).commits == "\n".join(lines)
    commit(repository, *(f"number {number}" for number in range(3, 30)))
    commits = (checkout_facts(repository, is_local=True).commits or "").split("\n")
    assert [line.partition(" ")[2] for line in commits] == [f"number {number}" for number in range(29, 9, -1)]


def test_detached_head(repository: Path) -> None:
    """A commit that was checked out by its id has no branch."""
    first = git(repository, "rev-parse", "HEAD~1")
    git(repository, "checkout", "--quiet", first)
    expected = BuildInfo(commit=first, commit_subject="one", author="Ann", repository=PAGE, ancestors=(first[:10],))
    assert checkout_facts(repository) == expected


def test_ancestors(repository: Path, tmp_path: Path) -> None:
    """The ancestors of a commit are those that led to it, also by a merge, and of a shallow clone what it has."""
    two, one = git(repository, "rev-list", "HEAD").split()
    git(repository, "checkout", "--quiet", "-b", "main", one)
    commit(repository, "of main")
    git(repository, "merge", "--quiet", "--no-edit", "feature/x")
    merge, *parents = git(repository, "rev-list", "--max-count=1", "--parents", "HEAD").split()
    found = [*(checkout_facts(repository).ancestors or ())]
    assert (found[0], found[-1], {*found}) == (merge[:10], one[:10], {each[:10] for each in (merge, *parents, one)})
    assert Checkout(repository, ENVIRONMENT, is_local=False, commit=two).facts().ancestors == (two[:10], one[:10])
    for unknown in ("c0ffee1c0ffee1", "$(touch made)", "v1; touch made"):
        assert Checkout(repository, ENVIRONMENT, is_local=False, commit=unknown).facts().ancestors is None
    assert not (repository / "made").exists()
    git(tmp_path, "clone", "--quiet", "--depth=1", repository.as_uri(), "shallow")
    assert checkout_facts(tmp_path / "shallow").ancestors == (merge[:10],)


def test_a_job_whose_provider_tells_all_has_the_ancestors_from_git(repository: Path) -> None:
    """Of a pushed commit git adds those that led to it, and no other fact; a pull request has a target instead."""
    two, one = git(repository, "rev-list", "HEAD").split()
    push = {**ENVIRONMENT, **PUSHES["GitLab"], "CI_COMMIT_SHA": two, "CI_COMMIT_TITLE": "two"}
    told = ci_facts(push)
    assert told is not None
    assert facts_for(BuildInfo(), "all", push, repository) == replace(told, ancestors=(two[:10], one[:10]))
    request = {**push, "CI_MERGE_REQUEST_IID": "12", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
    assert facts_for(BuildInfo(), "all", request, repository) == ci_facts(request)


def test_before_the_first_commit(tmp_path: Path) -> None:
    """A repository without commits has a branch and nothing else."""
    new_repository(tmp_path)
    assert checkout_facts(tmp_path) == BuildInfo(branch="main")


def test_no_repository(tmp_path: Path) -> None:
    """Without a repository, or with a folder that only looks like one, nothing is known."""
    assert checkout_facts(tmp_path) == BuildInfo()
    (tmp_path / ".git").mkdir()
    assert checkout_facts(tmp_path) == BuildInfo()
    assert checkout_facts(tmp_path / "no\0path") == BuildInfo()
    assert checkout_facts(tmp_path / ("n" * 300)) == BuildInfo()


@pytest.mark.parametrize("head", ["", "ref:", "ref: refs/heads/\0", "nonsense", "\xff"])
def test_damaged_repository(repository: Path, head: str) -> None:
    """A HEAD that git cannot understand has no branch and no commit, and is no error."""
    (repository / ".git" / "HEAD").write_text(head)
    assert checkout_facts(repository, is_local=True) == BuildInfo()


def test_without_git(repository: Path, tmp_path: Path) -> None:
    """Without the program git nothing is known."""
    assert checkout_facts(repository, is_local=True, environ={"PATH": str(tmp_path)}) == BuildInfo()


def test_only_remote_counts(repository: Path) -> None:
    """The only remote counts whatever it is called; of several without origin none does."""
    git(repository, "remote", "remove", "origin")
    assert checkout_facts(repository).repository == "https://github.com/other/shop"
    git(repository, "remote", "add", "third", REMOTE)
    assert checkout_facts(repository).repository is None


def test_names_of_remotes(repository: Path) -> None:
    """An address that git replaces by another one (``insteadOf``) counts as git uses it."""
    git(repository, "remote", "set-url", "origin", "gh:ann/shop.git")
    git(repository, "config", "url.https://github.com/.insteadOf", "gh:")
    assert checkout_facts(repository).repository == PAGE


@pytest.mark.skipif(getattr(os, "geteuid", int)() != 0, reason="only root can give a folder away")
def test_checkout_of_another_user(repository: Path) -> None:
    """Of a checkout that git refuses since it belongs to another user nothing is known, until the user allows it."""
    if sys.platform == "win32":
        pytest.skip("owners of files")
    expected = checkout_facts(repository, is_local=True)
    chown = os.chown
    for path in (repository, *repository.rglob("*")):
        chown(path, 12345, 12345)
    assert checkout_facts(repository, is_local=True) == BuildInfo()
    allowed = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": str(repository)}
    assert checkout_facts(repository, is_local=True, environ={**ENVIRONMENT, **allowed}) == expected


def test_variables_of_a_hook_lead_nowhere_else(files: Path, tmp_path: Path) -> None:
    """Pytest in a hook of git tells of the checkout around the project, whatever repository the hook is of."""
    other = new_repository(tmp_path / "other")
    commit(other, "other")
    expected = checkout_facts(files, is_local=True)
    assert expected.commit_subject == "files"
    variables = {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / ".git" / "index.lock"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git" / "objects"),
    }
    assert git(files, "log", "-1", "--format=%s", **variables) == "other"
    environ = {**ENVIRONMENT, **variables, "GIT_TRACE": str(tmp_path / "trace")}
    assert checkout_facts(files, is_local=True, environ=environ) == expected
    assert not (tmp_path / "trace").exists()


def test_a_git_that_hangs(repository: Path, tmp_path: Path) -> None:
    """A git that does not answer is waited for two seconds, then ended; what it said before counts."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    real, file = needed("git"), tmp_path / "bin" / "git"
    file.parent.mkdir()
    file.write_text(
        f"#!/bin/sh\ncase $* in *status*) echo $$ > {tmp_path}/pid; exec cat {tmp_path}/pipe;; esac\nexec {real} $*\n"
    )
    file.chmod(0o755)
    os.mkfifo(tmp_path / "pipe")
    begun = monotonic()
    found = checkout_facts(repository, is_local=True, environ={**ENVIRONMENT, "PATH": f"{file.parent}:/usr/bin:/bin"})
    assert monotonic() - begun < 5
    assert (found.branch, found.commit_subject, found.changes) == ("feature/x", "two", "unknown")
    wait_for_death(int((tmp_path / "pid").read_text()))


def test_git_only_reads(files: Path, tmp_path: Path) -> None:
    """Nothing is written into the repository, and no program is started that its configuration names as a monitor."""
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    monitor.chmod(0o755)
    git(files, "config", "core.fsmonitor", str(monitor))
    (files / "run.sh").touch()
    before = {path: path.stat().st_mtime_ns for path in (files / ".git").rglob("*")}
    assert changes(files) is None
    assert {path: path.stat().st_mtime_ns for path in (files / ".git").rglob("*")} == before
    assert not (tmp_path / "started").exists()


def test_nothing_is_fetched(files: Path, tmp_path: Path) -> None:
    """Of a partial clone, whose files are not all there, nothing is fetched: its facts are those that are there."""
    git(files, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", "--no-checkout", "--filter=tree:0", f"file://{files}", "partial")
    found = checkout_facts(tmp_path / "partial", is_local=True, environ={**ENVIRONMENT, "GIT_TRACE": "1"})
    assert (found.commit_subject, found.changes) == ("files", "unknown")


@pytest.fixture
def files(repository: Path) -> Path:
    """Return the repository with a commit of two files, and with a file that git does not know."""
    (repository / "tests" / "test_a.py").write_text("def test_a(): pass\n")
    (repository / "run.sh").write_text("true\n")
    (repository / "run.sh").chmod(0o755)
    git(repository, "add", ".")
    commit(repository, "files")
    (repository / "notes.txt").write_text("not of git\n")
    return repository


def changes(repository: Path) -> str | None:
    return checkout_facts(repository / "tests", is_local=True).changes


def test_a_clean_checkout(files: Path) -> None:
    """Committed and ignored files are no changes, nor is a new one beside the tests; other runs do not look."""
    (files / "tests" / ".gitignore").write_text("*.log\n.gitignore\n")
    for name in ("a.log", "__pycache__/a.pyc", ".pytest_cache/lastfailed", ".automation-report/spool"):
        path = files / "tests" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    assert changes(files) is None
    (files / "run.sh").write_text("false\n")
    assert checkout_facts(files).changes is None


def test_changes_are_those_of_the_content(files: Path) -> None:
    """Each content has one digest, in the index or not: changed, missing and new files, links and modes."""
    script, new = files / "run.sh", files / "tests" / "test b\n\xe9.py"
    found: list[str | None] = []

    def differs() -> None:
        found.append(changes(files))
        git(files, "add", "--all", "tests", "run.sh")
        assert changes(files) == found[-1]
        assert found.count(found[-1]) == 1

    script.write_text("false\n")
    differs()
    for text in ("def test_b(): pass\n", "def test_b(): ...\n"):
        new.write_text(text)
        differs()
    new.chmod(0o755)
    differs()
    for target in ("gone", "elsewhere"):
        new.unlink()
        new.symlink_to(target)
        differs()
    script.unlink()
    differs()
    assert not {None, "unknown"} & {*found}
    git(files, "reset", "--quiet", "--hard")
    assert changes(files) is None
    script.write_text("false\n")
    assert changes(files) == found[0]


def test_a_changed_submodule(files: Path, tmp_path: Path) -> None:
    """How a submodule differs is unknown, as that of a repository among the tests that git does not know."""
    inner = new_repository(tmp_path / "inner")
    (inner / "a.txt").write_text("one\n")
    git(inner, "add", ".")
    commit(inner, "inner")
    git(files, "submodule", "--quiet", "add", str(inner), "inner")
    commit(files, "with a submodule")
    assert changes(files) is None
    (files / "inner" / "a.txt").write_text("two\n")
    assert changes(files) == "unknown"
    git(files / "inner", "reset", "--quiet", "--hard")
    commit(new_repository(files / "tests" / "other"), "other")
    assert changes(files) == "unknown"


@pytest.mark.parametrize("sizes", [[50_000_001], [30_000_000, 20_000_001]])
def test_more_changes_than_are_read(files: Path, sizes: list[int]) -> None:
    """What differs by more than 50 MB is unknown."""
    for number, size in enumerate(sizes):
        (files / "tests" / f"{number}.bin").touch()
        os.truncate(files / "tests" / f"{number}.bin", size)
    assert changes(files) == "unknown"
    os.truncate(files / "tests" / "0.bin", sizes[0] - 1)
    assert changes(files) != "unknown"


def test_an_index_that_cannot_be_read(files: Path) -> None:
    """What git cannot tell is unknown: then no test is called flaky for what its author changed."""
    (files / ".git" / "index").write_bytes(b"no index at all" * 20)
    assert changes(files) == "unknown"
