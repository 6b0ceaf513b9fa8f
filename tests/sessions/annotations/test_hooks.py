import json
import sys
from hashlib import sha256

import pytest

from support.annotated_suites import STRING, URL, WORKERS, Suite
from support.sessions import run, run_session, session_environment

HOOKS = """
    import json
    from msgspec.structs import asdict
    from pathlib import Path

    import pytest
    from pytest_automation_report import Additions, Artifact, Field, FieldType, Link, RunAdditions

    def pytest_automation_report_describe_run(config):
        return RunAdditions(
            name="nightly", tags=["blue", "blue"], fields=[Field("branch", "main")],
            links=[Link("job", "https://example.org/job")], artifacts=[Artifact("log", "https://example.org/log")],
        )

    def pytest_automation_report_describe_test(item, report):
        assert report.when == "teardown"
        return Additions(
            key=f"key{len(item.name)}",
            fields=[Field("line", item.name, FieldType.STRING, {"a": "b"}, is_highlight=True)],
            artifacts=[Artifact("video", "https://example.org/v.mp4", "a note", "video/mp4", 5)],
        )

    def pytest_automation_report_publish_artifact(path):
        if path.suffix != ".txt":
            return None
        Path("published").open("a").write(f"{path.name}:{path.read_text()} ")
        return f"https://files.example.org/{path.name}"

    def pytest_automation_report_finished(config, summary):
        Path("summary.json").write_text(json.dumps(asdict(summary)))
"""


@pytest.mark.parametrize("arguments", WORKERS)
def test_hooks_add_to_runs_and_tests(arguments: tuple[str, ...], suite: Suite) -> None:
    """Each hook is asked where it belongs, those of a folder for its tests alone, and what it gives arrives."""
    suite.write("conftest.py", HOOKS)
    suite.write(
        "web/conftest.py",
        """
        from pytest_automation_report import Additions, Field

        def pytest_automation_report_describe_test(item, report):
            return Additions(folder="Web pages", key='{"test":"odd"}', fields=[Field("page", "https://example.org", 5)])
    """,
    )
    suite.write("test_top.py", "def test_top(): pass")
    suite.write("web/test_web.py", "def test_web(): pass")
    tests = suite.report(*arguments, is_sent_at_once=True)
    assert "test_top" in tests, suite.ran.text
    assert tests["test_top"].body["key"] == "key8"
    assert tests["test_top"].body["fields"] == [
        {"name": "line", "value": "test_top", "type": STRING, "meta": {"a": "b"}, "is_highlight": True}
    ]
    assert tests["test_top"].artifacts == [
        {"name": "video", "url": "https://example.org/v.mp4", "note": "a note", "mime_type": "video/mp4", "size": 5}
    ]
    web = tests["test_web"]
    assert (web.body["folder"], web.body["key"]) == ("Web pages", sha256(b'{"test":"odd"}').hexdigest())
    assert web.fields == [("line", "test_web", STRING), ("page", "https://example.org", URL)]
    (run,) = suite.server.runs()
    assert (run["name"], run["tags"]) == ("nightly", ["blue"])
    assert run["links"] == [{"name": "job", "url": "https://example.org/job"}]
    assert run["artifacts"] == [{"name": "log", "url": "https://example.org/log"}]
    assert {"name": "branch", "value": "main", "type": STRING} in run["fields"]
    summary = json.loads((suite.root / "summary.json").read_text())
    assert f"{suite.server.address}/automation/runs/view/1" in suite.ran.out
    assert summary == {
        "run": 1, "url": f"{suite.server.address}/automation/runs/view/1", "counts": {"passed": 2}, "delivered": 2,
        "kept": 0, "rejected": 0, "held": 0, "not_run": 0, "is_whole": True,
    }  # fmt: skip


def test_files_are_published_by_a_hook(suite: Suite) -> None:
    """A file goes by the address that the hook gives; without one by our server's, or a field where nobody keeps it."""
    suite.write("conftest.py", HOOKS)
    suite.tests("""
        def test_files(automation_report, tmp_path):
            path = tmp_path / "a.txt"
            path.write_text("from a path")
            automation_report.artifact(path)
            automation_report.artifact(b"from bytes", "b.txt", "text/plain")
            automation_report.artifact(lambda: str(path), "c.txt")
            automation_report.artifact(tmp_path / "no.txt")
            automation_report.artifact(b"1234", "d.png")
            (tmp_path / "e.png").write_bytes(b"")
            automation_report.artifact(tmp_path / "e.png", "shot")
            path.unlink()
            automation_report.artifact(lambda: 1 / 0, "broken")
    """)
    (test,) = suite.report().values()
    assert [(each["name"], each["url"], each["size"], each.get("mime_type")) for each in test.artifacts[:3]] == [
        ("a.txt", "https://files.example.org/a.txt", 11, None),
        ("b.txt", "https://files.example.org/b.txt", 10, "text/plain"),
        ("c.txt", "https://files.example.org/a.txt", 11, None),
    ]
    assert (suite.root / "published").read_text() == "a.txt:from a path b.txt:from bytes a.txt:from a path "
    assert test.values["no.txt"].endswith("/no.txt (no such file)")
    assert [(each["name"], each["size"]) for each in test.artifacts[3:5]] == [("d.png", 4), ("shot", 0)]
    assert all(each["url"].startswith("http+local://store/artifacts/") for each in test.artifacts[3:5])
    assert suite.ran.out.count("artifact broken was not added: ZeroDivisionError: division by zero") == 1


BROKEN = """
    import pytest

    def pytest_automation_report_describe_run(config):
        pytest.fail("no branch")

    def pytest_automation_report_describe_test(item, report):
        raise KeyError("no page")

    def pytest_automation_report_publish_artifact(path):
        return 7

    def pytest_automation_report_finished(config, summary):
        raise SystemError("no chat")
"""


@pytest.mark.parametrize("arguments", WORKERS)
def test_hook_that_fails_is_told_once(arguments: tuple[str, ...], suite: Suite) -> None:
    """Hooks that raise change neither outcome nor exit code: each is told once, with its file and message."""
    suite.write("conftest.py", BROKEN)
    suite.tests("""
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_ok(number, automation_report, tmp_path):
            (tmp_path / "a.txt").write_text("a")
            automation_report.artifact(tmp_path / "a.txt")
    """)
    tests = suite.report(*arguments)
    assert len(tests) == 4
    names = [[*each.values, *(artifact["name"] for artifact in each.artifacts)] for each in tests.values()]
    assert names == [["a.txt"]] * 4
    for told in (
        f"describe_run in {suite.root}/conftest.py: Failed: no branch; the run has none of its additions",
        f"describe_test in {suite.root}/conftest.py: KeyError: 'no page'; results have none of its additions",
        "publish_artifact: ValueError: '7' is not a web address; files have no address",
        f"finished in {suite.root}/conftest.py: SystemError: no chat; the report is not affected",
    ):
        assert suite.ran.out.count(f"pytest_automation_report_{told}\n") == 1, suite.ran.out
    assert "error in reporting" not in suite.ran.out


@pytest.mark.parametrize("arguments", WORKERS)
def test_name_that_is_no_hook_is_reported_once(arguments: tuple[str, ...], suite: Suite) -> None:
    """A function named like a hook of ours that is none of them is reported with its file and the nearest name."""
    suite.conftest("""
        import pytest

        @pytest.hookimpl(optionalhook=True)
        def pytest_automation_report_describe_tests(item, report):
            raise AssertionError

        @pytest.hookimpl(optionalhook=True)
        def pytest_automation_report_finished(config, summary):
            pass
    """)
    suite.write(
        "web/conftest.py",
        """
        import pytest

        @pytest.hookimpl(optionalhook=True)
        def pytest_automation_report_weather(sky):
            pass
    """,
    )
    suite.write("web/test_web.py", "def test_web(): pass")
    suite.report(*arguments)
    never = "no hook has this name, so it is never called; "
    for name, place, hint in (
        ("describe_tests", "conftest.py", "did you mean pytest_automation_report_describe_test?"),
        ("weather", "web/conftest.py", "the hooks are pytest_automation_report_describe_run, "),
    ):
        reported = f"pytest_automation_report_{name} in {suite.root}/{place}: {never}{hint}"
        assert suite.ran.out.count(reported) == 1, suite.ran.out
    assert suite.ran.out.count(never) == 2, suite.ran.out


def test_address_of_a_run_in_the_embedded_store(suite: Suite) -> None:
    """``summary.url`` of the embedded store is the address at which ``automation-report serve`` shows the run."""
    suite.write("conftest.py", HOOKS)
    suite.write("test_suite.py", "def test_ok(): pass")
    run_session(suite.root, exits=0)
    url = json.loads((suite.root / "summary.json").read_text())["url"]
    assert url == "http://127.0.0.1:8000/automation/runs/view/1"
    command = [sys.executable, "-m", "pytest_automation_report.cli", "serve", "--help"]
    assert "[default: 8000" in " ".join(run(command, suite.root, session_environment()).out.split())


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("'text'", "TypeError: the hook returned str, not Additions"),
        ("Additions(key='')", "ValueError: key '' is not a text"),
        ("Additions(key=7)", "ValueError: key 7 is not a text"),
        ("Additions(folder='')", "ValueError: folder '' is not a text"),
        ("Additions(fields=['a'])", "TypeError: str is not a Field"),
        ("Additions(fields=[Field('a', 'b', 9)])", "ValueError: 9 is not a valid FieldType"),
        ("Additions(artifacts=[Artifact('a', 'b')])", "ValueError: artifact 'a': 'b' is not a web address"),
    ],
)
def test_answer_that_cannot_be_sent_is_told(answer: str, told: str, suite: Suite) -> None:
    """What a hook returns that the server could not take is left out whole, and told."""
    suite.conftest(f"""
        from pytest_automation_report import Additions, Artifact, Field

        def pytest_automation_report_describe_test(item, report):
            return {answer}
    """)
    suite.write("test_suite.py", "def test_ok(): pass")
    (test,) = suite.report().values()
    assert "fields" not in test.body
    assert test.body["folder"] == "test_suite"
    assert f"pytest_automation_report_describe_test: {told}; results have none of its additions" in suite.ran.out


def test_hook_can_end_the_session(suite: Suite) -> None:
    """``pytest.exit`` in a hook ends the session as it does anywhere else."""
    suite.conftest("""
        import pytest

        def pytest_automation_report_describe_test(item, report):
            pytest.exit("enough", 7)
    """)
    suite.write("test_suite.py", "def test_one(): pass\ndef test_two(): pass")
    suite.report(exit_status=7)
    assert "enough" in suite.ran.out


def test_hooks_are_not_called_when_nothing_is_reported(suite: Suite) -> None:
    """A session that is not reported knows the hooks and calls none."""
    suite.write("conftest.py", BROKEN)
    suite.write("test_suite.py", "def test_ok(automation_report): automation_report.artifact('conftest.py')")
    ran = suite.bare("-W", "error")
    assert "pytest_automation_report" not in ran.out
