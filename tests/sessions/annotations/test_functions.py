import pytest

from support.annotated_suites import WORKERS, Suite


def test_functions_add_to_the_running_test_from_anywhere(suite: Suite) -> None:
    """Threads, a pool that outlives tests, tasks, and fixtures of every scope add to the test that runs."""
    suite.tests("""
        import asyncio
        import threading
        from concurrent.futures import ThreadPoolExecutor

        import pytest
        from pytest_automation_report import artifact, field, link, step

        @pytest.fixture(scope="module")
        def pool():
            with step("make pool"), ThreadPoolExecutor(1) as pool:
                yield pool
            field("closed", "pool")

        def work(name):
            with step(name):
                field(name, threading.current_thread().name.partition("-")[0].partition("_")[0])

        def test_thread():
            with step("start"):
                thread = threading.Thread(target=work, args=("thread",), name="own")
                thread.start()
                thread.join()

        def test_pool_one(pool):
            pool.submit(work, "first").result()

        def test_pool_two(pool):
            pool.submit(work, "second").result()
            link("https://example.org/two", "two")
            artifact("https://example.org/two.txt")

        def test_tasks():
            async def task(name, event, other):
                with step(name):
                    other.set()
                    await event.wait()
                    with step(f"in {name}"):
                        field(name, "task")

            async def both():
                one, two = asyncio.Event(), asyncio.Event()
                with step("both"):
                    await asyncio.gather(task("a", one, two), task("b", two, one))
                    await asyncio.to_thread(work, "aside")

            asyncio.run(both())
    """)
    tests = suite.report()
    assert tests["test_thread"].steps == [("passed", "start"), ("passed", "thread")]
    assert tests["test_thread"].values["thread"] == "own"
    assert tests["test_pool_one"].steps == [("skipped", "make pool (not finished)"), ("passed", "first")]
    assert tests["test_pool_two"].steps == [("passed", "second")]
    assert list(tests["test_pool_two"].values) == ["Steps", "second", "two"]
    assert [each["name"] for each in tests["test_pool_two"].artifacts] == ["two.txt"]
    assert sorted(tests["test_tasks"].steps) == sorted(
        [
            ("passed", "both"), ("passed", "\u203a a"), ("passed", "\u203a \u203a in a"), ("passed", "\u203a b"),
            ("passed", "\u203a \u203a in b"), ("passed", "\u203a aside"),
        ]
    )  # fmt: skip
    assert tests["test_tasks"].values["closed"] == "pool"
    assert tests["test_tasks"].values["aside"] == "asyncio"


def test_thread_that_outlives_its_test_adds_to_no_other(suite: Suite) -> None:
    """What a test's own fixture, or a step that it began, is given after its end is dropped, and counted."""
    suite.tests("""
        import threading

        from pytest_automation_report import field, step

        go, done = threading.Event(), threading.Event()

        def late(report):
            with step("open step"):
                go.wait()
                report.field("late", "by fixture")
                with report.step("late"):
                    pass
                field("late", "by function in a step")
            done.set()

        def test_starts(automation_report):
            threading.Thread(target=late, args=(automation_report,)).start()

        def test_next():
            go.set()
            done.wait()
            field("own", "yes")
    """)
    tests = suite.report()
    assert tests["test_next"].fields == [("own", "yes", 1)]
    assert tests["test_starts"].steps == [("skipped", "open step (not finished)")]
    assert "annotations left out, since their test was not running: 3" in suite.ran.out


@pytest.mark.parametrize("arguments", WORKERS)
def test_what_no_test_adds_is_counted(arguments: tuple[str, ...], suite: Suite) -> None:
    """Annotations while no test runs are dropped, and told by their number."""
    suite.conftest("""
        from pytest_automation_report import artifact, field, step

        def pytest_collection_finish(session):
            if hasattr(session.config, "workerinput") or not session.config.getoption("numprocesses", None):
                field("early", 1)
                artifact("https://example.org/early")
                with step("early"):
                    pass
    """)
    suite.write("test_suite.py", "def test_ok(): pass")
    tests = suite.report(*arguments)
    assert "fields" not in tests["test_ok"].body
    assert "annotations left out, since their test was not running: 3" in suite.ran.out


def test_mistakes_are_shown_at_the_line_of_the_test(suite: Suite) -> None:
    """A value that can never be used is an error of the test's own line, and a broken file names its test."""
    suite.write(
        "test_suite.py",
        """
        from pytest_automation_report import artifact, field

        def test_wrong_type():
            field("a", 1, type="nope")

        def test_wrong_content():
            artifact(7)

        def test_broken():
            artifact(lambda: 1 / 0)
        """,
    )
    tests = suite.report(exit_status=1)
    assert [tests[name].body["status"] for name in ("test_wrong_type", "test_wrong_content", "test_broken")] == [
        "failure", "failure", "passed",
    ]  # fmt: skip
    assert 'field("a", 1, type="nope")' in suite.ran.out
    assert "artifact(7)" in suite.ran.out
    assert "pytest_automation_report/recording" not in suite.ran.out
    assert "an artifact of test_suite.py::test_broken was not added: ZeroDivisionError" in suite.ran.out


def test_importing_the_package_loads_nothing(suite: Suite) -> None:
    """Importing the package, and the functions outside pytest, loads neither pytest nor the plugin."""
    suite.tests("""
        import subprocess, sys

        CODE = '''
        import sys
        import pytest_automation_report
        assert not [each for each in sys.modules if each.startswith("pytest_automation_report.")]
        from pytest_automation_report import artifact, field, link, step
        field("a", "b"), link("c"), artifact("d")
        with step("e"):
            pass
        assert not {"pytest", "requests", "pytest_automation_report.plugin"} & set(sys.modules)
        '''

        def test_import():
            import textwrap
            subprocess.run([sys.executable, "-c", textwrap.dedent(CODE)], check=True)
    """)
    suite.bare()
