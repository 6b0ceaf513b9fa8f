import pytest

from support.annotated_suites import CONSOLE, HTML, STRING, TEXT, URL, WORKERS, Suite

EVERYTHING = """
    import pytest

    @pytest.fixture
    def logged_in(automation_report):
        with automation_report.step("log in"):
            automation_report.field("user", "ann")
        yield
        with automation_report.step("log out"):
            automation_report.field("left", True)

    def test_all(automation_report, logged_in):
        automation_report.field("browser", "firefox")
        automation_report.field("page", "https://example.org/a?b=1")
        automation_report.field("notes", "one\\ntwo")
        automation_report.field("table", "<b>bold</b>", type="html")
        automation_report.field("log", "a\\x1b[31mb", type="console")
        automation_report.field("number", 7, type="text")
        automation_report.link("https://example.org/build/9", "build")
        automation_report.link("nowhere", "lost")
        automation_report.artifact("https://example.org/shots/1.png", mime_type="image/png")
        with automation_report.step("buy"):
            with automation_report.step("fill <cart>"):
                pass
            with pytest.raises(ValueError):
                with automation_report.step("pay"):
                    raise ValueError("no money")
            with pytest.raises(pytest.skip.Exception):
                with automation_report.step("rate"):
                    pytest.skip("later")

    def test_fails(automation_report):
        with automation_report.step("outer"), automation_report.step("inner"):
            automation_report.field("seen", "yes")
            assert 1 == 2

    def test_plain():
        pass
"""


@pytest.mark.parametrize("arguments", WORKERS)
def test_everything_a_test_adds_is_in_its_result(arguments: tuple[str, ...], suite: Suite) -> None:
    """Fields, links, artifacts and nested steps of a test, its fixtures and their teardown are in its result alone."""
    suite.write("test_suite.py", EVERYTHING)
    tests = suite.report(*arguments, exit_status=1)
    assert tests["test_all"].fields[1:] == [
        ("user", "ann", STRING), ("browser", "firefox", STRING), ("page", "https://example.org/a?b=1", URL),
        ("notes", "one\ntwo", TEXT), ("table", "<b>bold</b>", HTML), ("log", "ab", CONSOLE), ("number", "7", TEXT),
        ("build", "https://example.org/build/9", URL), ("lost", "nowhere", STRING), ("left", "True", STRING),
    ]  # fmt: skip
    assert tests["test_all"].artifacts == [
        {"name": "1.png", "url": "https://example.org/shots/1.png", "mime_type": "image/png"}
    ]
    assert tests["test_all"].steps == [
        ("passed", "log in"), ("passed", "buy"), ("passed", "\u203a fill <cart>"), ("failed", "\u203a pay"),
        ("skipped", "\u203a rate"), ("passed", "log out"),
    ]  # fmt: skip
    assert tests["test_all"].body["status"] == "passed"
    assert tests["test_fails"].steps == [("failed", "outer"), ("failed", "\u203a inner")]
    assert tests["test_fails"].values["seen"] == "yes"
    assert "fields" not in tests["test_plain"].body
    assert "automation report ==" in suite.ran.out
    assert "annotations are" not in suite.ran.out


def test_session_that_is_not_reported_ends_the_same(suite: Suite) -> None:
    """Fixture, functions and markers are there when nothing is reported, do nothing, and change no outcome."""
    suite.write(
        "test_suite.py",
        EVERYTHING
        + """
    from pytest_automation_report import artifact, field, link, step

    pytestmark = [pytest.mark.automation_report_case("C1"), pytest.mark.automation_report_field("a", "b")]

    def called():
        raise AssertionError("made although nothing is reported")

    def test_functions():
        field("a", "b")
        link("https://example.org", "c")
        artifact(called, "d")
        with step("e"):
            pass
    """,
    )
    ran = suite.bare("--strict-markers", "-W", "error", exit_status=1)
    assert "1 failed, 3 passed" in ran.out
    assert suite.server.log == []


@pytest.mark.parametrize("is_reported", [False, True])
def test_what_can_never_be_used_raises_either_way(suite: Suite, *, is_reported: bool) -> None:
    """A type that there is not, and an artifact of no kind, fail a test whether it is reported or not."""
    suite.tests("""
        import pytest

        def test_wrong(automation_report):
            with pytest.raises(ValueError, match="write string, text, html, console, url"):
                automation_report.field("a", "b", type="colour")
            with pytest.raises(TypeError, match="not int"):
                automation_report.artifact(3)
    """)
    if is_reported:
        suite.report()
    else:
        suite.bare()


def test_what_is_too_much_is_cut_and_counted(suite: Suite) -> None:
    """However much a test adds, its result keeps the limits and says what is missing; the session counts the rest."""
    suite.tests("""
        def test_much(automation_report):
            for number in range(600):
                automation_report.field(f"field {number}", "x" * 20_000)
            for number in range(150):
                with automation_report.step(f"step {number}"):
                    pass

        class Odd:
            def __str__(self):
                raise RuntimeError("no text")

        def test_odd(automation_report):
            automation_report.field("odd", Odd())
            automation_report.field("", "\\ud800\\x00")
            automation_report.artifact("https://example.org/" + "a" * 800, "long")
    """)
    tests = suite.report()
    much = tests["test_much"]
    assert len(much.fields) == 25
    assert all(len(value) <= 16_384 for value in much.values.values())
    assert much.values["Fields left out"].startswith("477: field 23, ")
    assert len(much.steps) == 100
    assert much.steps[-1] == ("passed", "51 more: 51 passed")
    assert "annotations left out, since a result can hold no more: 100" in suite.ran.out
    odd = tests["test_odd"]
    assert odd.values["odd"] == "<Odd without a text: RuntimeError>"
    assert odd.values["(no name)"] == "\\ud800\\x00"
    assert odd.artifacts == []
    assert odd.values["long"] == "https://example.org/" + "a" * 800
