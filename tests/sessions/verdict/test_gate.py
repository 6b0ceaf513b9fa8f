"""The gate answers "may this be merged" in real git histories: it opens by a mend, and never at the second try."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from sessions.ci.test_git import commit, git, new_repository
from support.ci_environments import JOBS, PUSHES
from support.projects import Project, console
from support.sessions import Ran, session_environment

GREEN = "def test_a(): pass\ndef test_b(): pass\n"
BROKEN = GREEN.replace("test_a(): pass", "test_a(): assert 0")


def _gitlab(branch: str, sha: str, number: int) -> dict[str, str]:
    return {
        "CI_COMMIT_BRANCH": branch,
        "CI_COMMIT_REF_NAME": branch,
        "CI_COMMIT_SHA": sha,
        "CI_PIPELINE_ID": f"{number}",
    }


def _jenkins(branch: str, sha: str, number: int) -> dict[str, str]:
    return {
        "GIT_BRANCH": f"origin/{branch}",
        "GIT_COMMIT": sha,
        "BUILD_NUMBER": f"{number}",
        "BUILD_TAG": f"b-{number}",
    }


def _buildkite(branch: str, sha: str, number: int) -> dict[str, str]:
    return {"BUILDKITE_BRANCH": branch, "BUILDKITE_COMMIT": sha, "BUILDKITE_BUILD_ID": f"build-{number}"}


def _github(branch: str, sha: str, number: int) -> dict[str, str]:
    return {"GITHUB_REF": f"refs/heads/{branch}", "GITHUB_SHA": sha, "GITHUB_RUN_ID": f"{number}"}


PUSHED: Mapping[str, Callable[[str, str, int], dict[str, str]]] = {
    "GitLab": _gitlab, "Jenkins": _jenkins, "Buildkite": _buildkite, "GitHub": _github,
}  # fmt: skip


class Answer(NamedTuple):
    """What the gate said: its exit code, the lines that name failures, and what it compared with."""

    exit: int
    failures: list[str]
    base: str


def answer(ran: Ran) -> Answer:
    lines = ran.err.splitlines()
    failures = [line.partition("new failure: ")[2] for line in lines if line.startswith("new failure: ")]
    bases = [line.partition(" compared with ")[2].partition(";")[0] for line in lines if line.startswith("run ")]
    return Answer(ran.exit, failures, bases[-1])


FIRST = Answer(0, [], "")


class Repository:
    """A repository with a suite on main, and the store of all of its pipelines; ``pushes`` are numbered from 1."""

    def __init__(self, folder: Path, provider: str, depth: int = 20) -> None:
        self.origin = Project(new_repository(folder / "origin"), GREEN)
        self._folder, self._provider, self._depth, self._pushes = folder, provider, depth, 0
        git(self.origin.root, "add", ".")
        commit(self.origin.root, "begin")

    def change(self, suite: str, message: str = "change") -> None:
        self.origin.tests(suite)
        git(self.origin.root, "commit", "--quiet", "--all", "--allow-empty", "--message", message)

    def push(self, branch: str, **more: str) -> Answer:
        """Run the pipeline of a pushed branch in a clone as its provider makes it, and ask the gate in its last job."""
        self._pushes += 1
        clone = f"clone-{self._pushes}"
        sha = git(self.origin.root, "rev-parse", branch)
        git(
            self._folder,
            "clone",
            "--quiet",
            f"--depth={self._depth}",
            "--branch",
            branch,
            self.origin.root.as_uri(),
            clone,
        )
        git(self._folder / clone, "checkout", "--quiet", "--detach")
        env = session_environment(
            AUTOMATION_REPORT_SOURCE="shop", AUTOMATION_REPORT_URL="local",
            AUTOMATION_REPORT_DATABASE=str(self._folder / "store.sqlite3"), AUTOMATION_REPORT_RUN_KEY="{pipeline}",
        ) | PUSHES[self._provider] | PUSHED[self._provider](branch, sha, self._pushes) | more  # fmt: skip
        Project(self._folder / clone, git(self._folder / clone, "show", "HEAD:test_suite.py")).report(env=env)
        # The last job has no checkout.
        return answer(console(self._folder, "run", "finish", "--expect-jobs", "1", "--gate", env=env))


@pytest.mark.parametrize("provider", PUSHED)
def test_a_pushed_branch_stays_red_until_it_is_mended(tmp_path: Path, provider: str) -> None:
    """An empty commit, a further one and what main breaks meanwhile open no gate of a branch; a mend does."""
    shop = Repository(tmp_path, provider)
    assert shop.push("main") == FIRST
    git(shop.origin.root, "checkout", "--quiet", "-b", "feat")
    shop.change(BROKEN)
    red = Answer(5, ["test_suite.test_a"], "run 1 (main)")
    assert shop.push("feat") == red
    git(shop.origin.root, "checkout", "--quiet", "main")
    shop.change("def test_a(): assert 0\ndef test_b(): assert 0\n")
    # Two red pushes of main: the second changes nothing.
    both = ["test_suite.test_a", "test_suite.test_b"]
    assert shop.push("main") == Answer(5, both, "run 1 (main)")
    shop.change("def test_a(): assert 0\ndef test_b(): assert 0\n")
    assert shop.push("main") == Answer(5, [f"{name} (since run 3)" for name in both], "run 1 (main)")
    git(shop.origin.root, "checkout", "--quiet", "feat")
    for _ in range(2):
        shop.change(BROKEN)
        assert shop.push("feat") == red._replace(failures=["test_suite.test_a (since run 2)"])
    shop.change(GREEN)
    assert shop.push("feat") == Answer(0, [], "run 1 (main)")
    # With the newer commits of main come the failures of main: they are not the branch's.
    git(shop.origin.root, "merge", "--quiet", "--strategy-option=theirs", "--no-edit", "main")
    assert shop.push("feat") == Answer(0, [], "run 4 (main)")
    git(shop.origin.root, "checkout", "--quiet", "main")
    shop.change(GREEN)
    assert shop.push("main") == Answer(0, [], "run 1 (main)")


@pytest.mark.parametrize("provider", ["GitHub", "GitLab", "Buildkite"])
def test_a_pull_request_of_a_fork_whose_branch_is_called_main(tmp_path: Path, provider: str) -> None:
    """It is compared with main, red or not and as often as it is built, and is no run of main for anybody else."""
    shop = Repository(tmp_path, provider)
    request = {name: value for name, value in JOBS[provider]["pull request"].more.items() if not value.startswith("{")}
    request |= {name: "main" for name, value in request.items() if value.endswith("feature/x")}
    assert shop.push("main") == FIRST
    git(shop.origin.root, "checkout", "--quiet", "-b", "fork")
    shop.change(BROKEN)
    red = Answer(5, ["test_suite.test_a"], "run 1 (main)")
    assert shop.push("fork", **request) == red
    assert shop.push("fork", **request) == red._replace(failures=["test_suite.test_a (since run 2)"])
    git(shop.origin.root, "checkout", "--quiet", "main")
    assert shop.push("main") == Answer(0, [], "run 1 (main)")
    shop.change(BROKEN)
    assert shop.push("main") == Answer(5, ["test_suite.test_a"], "run 4 (main)")
    # What fails in its target is not its own.
    assert shop.push("fork", **request) == Answer(0, [], "run 5 (main)")


@pytest.mark.parametrize("branch", ["main", "feat"])
def test_a_developer_hears_the_same_of_what_is_broken(tmp_path: Path, branch: str) -> None:
    """Uncommitted, with a comment and committed: what I broke stays new for all who ask."""
    shop = Project(new_repository(tmp_path / "shop"), GREEN)
    (shop.root / ".gitignore").write_text(".automation-report\n__pycache__\n")
    git(shop.root, "add", ".")
    commit(shop.root, "begin")
    shop.report(exits=0)
    git(shop.root, "checkout", "--quiet", "-B", branch)
    since = ""
    for run, (suite, is_committed) in enumerate([(BROKEN, False), (f"# why\n{BROKEN}", False), (BROKEN, True)], 2):
        shop.tests(suite)
        if is_committed:
            git(shop.root, "commit", "--quiet", "--all", "--message", "broken")
        text = shop.report(exits=1).text
        beyond = "1 failure that main does not have (run 1)"
        assert (beyond in text) is (branch == "feat" and run > 2), text
        gate = console(shop.root, "gate")
        assert answer(gate) == Answer(5, [f"test_suite.test_a{since}"], "run 1 (main)")
        assert console(shop.root, "failures", "--new", "--format", "nodeids", exits=0).out == "test_suite.py::test_a\n"
        again = shop.pytest(f"--automation-report-rerun-failed={run}:new")
        assert f"running again the new failures of run {run}: 1 test" in again.text
        since = " (since run 2)"
    shop.tests(GREEN)
    shop.report(exits=0)
    assert answer(console(shop.root, "gate")) == Answer(0, [], "run 1 (main)")
    assert console(shop.root, "failures", "--new", "--format", "nodeids", exits=0).out == ""


def test_main_that_is_red_and_no_main_at_all(tmp_path: Path) -> None:
    """Without main a branch has its own last run that passed the gate; what main has failing is nobody's else."""
    shop = Repository(tmp_path, "GitLab")
    git(shop.origin.root, "checkout", "--quiet", "-b", "feat")
    assert shop.push("feat") == FIRST
    shop.change(BROKEN)
    assert shop.push("feat") == Answer(5, ["test_suite.test_a"], "run 1 (feat)")
    shop.change(BROKEN)
    assert shop.push("feat") == Answer(5, ["test_suite.test_a (since run 2)"], "run 1 (feat)")
    git(shop.origin.root, "checkout", "--quiet", "-B", "main")
    shop.change(BROKEN)
    assert shop.push("main") == FIRST
    git(shop.origin.root, "checkout", "--quiet", "-b", "other")
    shop.change(BROKEN.replace("test_b(): pass", "test_b(): assert 0"))
    assert shop.push("other") == Answer(5, ["test_suite.test_b"], "run 4 (main)")


def test_only_the_commits_of_a_shallow_clone_are_told(tmp_path: Path) -> None:
    """A clone of one commit does not say where its branch began: then the newest run of main is the base."""
    shop = Repository(tmp_path, "GitLab", depth=1)
    assert shop.push("main") == FIRST
    git(shop.origin.root, "checkout", "--quiet", "-b", "feat")
    shop.change(BROKEN)
    git(shop.origin.root, "checkout", "--quiet", "main")
    shop.change(GREEN)
    assert shop.push("main") == Answer(0, [], "run 1 (main)")
    assert shop.push("feat") == Answer(5, ["test_suite.test_a"], "run 2 (main)")


def test_the_same_commit_again_has_a_base(tmp_path: Path) -> None:
    """A second pipeline of the only commit that was ever tested is compared with the first one, as its summary is."""
    shop = Repository(tmp_path, "Jenkins")
    assert shop.push("main") == FIRST
    assert shop.push("main") == Answer(0, [], "run 1 (main)")


def test_a_run_in_which_no_test_ran_is_not_judged(tmp_path: Path) -> None:
    """The gate ends with 3 of a run without tests, by itself and in the last step; --allow-partial judges it."""
    shop = Project(tmp_path, GREEN)
    env = session_environment(AUTOMATION_REPORT_RUN_KEY="k")
    shop.report("-k", "nothing", exits=5, env=env)
    ran = console(shop.root, "run", "finish", "--gate", env=env, exits=3)
    assert "run 1 is not whole: no test ran\n" in ran.err
    assert "no test ran" in console(shop.root, "gate", "1", exits=3).err
    console(shop.root, "gate", "1", "--allow-partial", exits=0)
