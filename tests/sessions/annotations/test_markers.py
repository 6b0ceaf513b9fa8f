import pytest

from support.annotated_suites import STRING, TEXT, URL, WORKERS, Suite

INI = """
    automation_report_link_templates =
        case=https://example.testmo.net/cases/{}
    automation_report_markers =
        owner
        smoke
    markers =
        owner: who looks after it
        smoke: quick
        other: no field
"""

MARKED = """
    import pytest

    pytestmark = [pytest.mark.automation_report_field("module", "shop"), pytest.mark.other]

    @pytest.mark.automation_report_case("C 1/2", "C3")
    @pytest.mark.owner("ann", team="web")
    class TestClass:
        @pytest.mark.smoke
        @pytest.mark.automation_report_link("https://example.org/docs", name="docs")
        @pytest.mark.automation_report_artifact("https://example.org/a.zip", "a.zip", mime_type="application/zip")
        @pytest.mark.automation_report_issue("PROJ-1")
        @pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.automation_report_field("one", "1\\n2"))])
        def test_marked(self, number, request):
            request.node.add_marker(pytest.mark.automation_report_field("late", number))

    def test_module():
        pass
"""


def test_markers_become_fields_links_and_artifacts(suite: Suite) -> None:
    """Markers of a test, its class and its module, also those added while it runs, are in its result, outer first."""
    suite.write("test_suite.py", MARKED)
    tests = suite.report("--strict-markers", ini=INI)
    fields = tests["test_marked[1]"].fields
    assert sorted(fields) == sorted(
        [
            ("module", "shop", STRING), ("owner", "ann, team=web", STRING),
            ("Case", "https://example.testmo.net/cases/C%201%2F2", URL),
            ("Case", "https://example.testmo.net/cases/C3", URL), ("Issue", "PROJ-1", STRING),
            ("docs", "https://example.org/docs", URL), ("smoke", "yes", STRING), ("one", "1\n2", TEXT),
            ("late", "1", STRING),
        ]
    )  # fmt: skip
    assert fields[0] == ("module", "shop", STRING)
    assert {name for name, _, _ in fields[1:4]} == {"owner", "Case"}
    assert fields[-1] == ("late", "1", STRING)
    assert tests["test_marked[1]"].artifacts == [
        {"name": "a.zip", "url": "https://example.org/a.zip", "mime_type": "application/zip"}
    ]
    assert tests["test_module"].fields == [("module", "shop", STRING)]


def test_markers_of_a_module_and_a_class_are_their_tests_alone(suite: Suite) -> None:
    """What a module or a class is marked with is in the results of its own tests, whatever ran before."""
    suite.write("test_a.py", "def test_a(): pass")
    suite.write(
        "test_b.py",
        """
        import pytest

        pytestmark = pytest.mark.automation_report_field("module", "b")

        def test_b():
            pass

        @pytest.mark.automation_report_field("class", "C")
        class TestC:
            def test_c(self):
                pass

        def test_d():
            pass
    """,
    )
    suite.write("test_e.py", "def test_e(): pass")
    tests = suite.report()
    assert {name: test.values for name, test in tests.items()} == {
        "test_a": {},
        "test_b": {"module": "b"},
        "test_c": {"module": "b", "class": "C"},
        "test_d": {"module": "b"},
        "test_e": {},
    }


@pytest.mark.parametrize("arguments", WORKERS)
def test_marker_that_cannot_be_used_is_told(arguments: tuple[str, ...], suite: Suite) -> None:
    """A marker with wrong arguments changes no outcome; the summary names it, and the others are in the result."""
    suite.tests("""
        import pytest

        @pytest.mark.automation_report_field("only a name")
        @pytest.mark.automation_report_artifact("no file")
        @pytest.mark.automation_report_artifact(7)
        @pytest.mark.automation_report_case
        @pytest.mark.automation_report_issue(key="P-1")
        @pytest.mark.automation_report_field("kept", "yes")
        def test_wrong():
            pass
    """)
    (test,) = suite.report(*arguments).values()
    assert test.fields == [("kept", "yes", STRING), ("no file", f"{suite.root}/no file (no such file)", STRING)]
    for what in (
        "automation_report_field of test_suite.py::test_wrong cannot be used: write automation_report_field(name, ",
        "automation_report_issue of test_suite.py::test_wrong cannot be used: write automation_report_issue(*ids)\n",
        "automation_report_artifact of test_suite.py::test_wrong cannot be used: an artifact is an address, a path,",
        "automation_report_case of test_suite.py::test_wrong cannot be used: name at least one",
    ):
        assert suite.ran.out.count(f"marker {what}") == 1


def test_markers_that_cannot_be_used_are_told_as_more(suite: Suite) -> None:
    """Where hundreds of tests have a wrong marker the first ten are named, and that there are more is told once."""
    suite.tests("""
        import pytest

        @pytest.mark.parametrize("number", range(200))
        @pytest.mark.automation_report_field("only a name")
        def test_wrong(number):
            pass
    """)
    assert len(suite.report()) == 200
    assert suite.ran.out.count("marker automation_report_field of ") == 10
    assert suite.ran.out.count("more errors of this kind occurred; the first 10 are shown") == 1


def test_printed_annotations_count_where_they_are_asked_for(suite: Suite) -> None:
    """With ``output_annotations`` the official tool's lines in a test's output are fields and artifacts of the test."""
    suite.tests("""
        import sys

        def test_prints():
            print("before\\n  [[PROPERTY|author=Ann]]\\nbetween [[PROPERTY|page=https://example.org/a]]")
            print("[[ATTACHMENT|https://example.org/shots/1.png?x=2]]", file=sys.stderr)
            print("[[ATTACHMENT|shots/2.png]] \\n[[PROPERTY|empty=]]\\n[[OTHER|a=b]] [[PROPERTY|mid=line]] end")

        def test_silent():
            print("nothing")
    """)
    tests = suite.report("-o", "automation_report_output=all", ini="automation_report_output_annotations = true")
    test = tests["test_prints"]
    assert [each for each in test.fields if each[0] not in {"Output", "Errors"}] == [
        ("author", "Ann", STRING),
        ("page", "https://example.org/a", URL),
        ("Attachment", "shots/2.png", STRING),
        ("empty", "", STRING),
    ]
    assert test.artifacts == [{"name": "1.png", "url": "https://example.org/shots/1.png?x=2"}]
    assert "[[PROPERTY|author=Ann]]" in test.values["Output"]
    assert [name for name, _, _ in tests["test_silent"].fields] == ["Output"]


def test_printed_annotations_count_where_output_is_not_kept(suite: Suite) -> None:
    """A test that passes has them also with the default of ``output``, which keeps that of failed tests alone."""
    suite.write("test_suite.py", "def test_prints(): print('[[PROPERTY|author=Ann]]')")
    options = ("-o", "automation_report_output=failed")
    (test,) = suite.report(*options, ini="automation_report_output_annotations = true").values()
    assert test.fields == [("author", "Ann", STRING)]


def test_printed_annotations_are_output_otherwise(suite: Suite) -> None:
    """Without the setting such lines are output like any other."""
    suite.write("test_suite.py", "def test_prints(): print('[[PROPERTY|author=Ann]]')")
    (test,) = suite.report().values()
    assert test.fields == []


@pytest.mark.parametrize("arguments", WORKERS)
@pytest.mark.parametrize("junit", [(), ("--junitxml=junit.xml",)])
def test_suite_properties_are_fields_of_runs(arguments: tuple[str, ...], junit: tuple[str, ...], suite: Suite) -> None:
    """``record_testsuite_property`` adds to the run, each property once, and JUnit XML gets what pytest gives it."""
    suite.tests("""
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def properties(record_testsuite_property):
            record_testsuite_property("cluster", "blue")
            record_testsuite_property("dashboard", "https://example.org/d")

        @pytest.mark.parametrize("number", range(4))
        def test_ok(number):
            pass

        def test_more(record_testsuite_property, record_property):
            record_testsuite_property("late", 7)
            record_property("one", "https://example.org/p")
            record_property("two", "a\\nb")
    """)
    tests = suite.report(*arguments, *junit)
    assert sorted(suite.run_fields) == [
        ("cluster", "blue"),
        ("dashboard", "https://example.org/d"),
        ("late", "7"),
    ]
    assert tests["test_more"].fields == [("one", "https://example.org/p", URL), ("two", "a\nb", TEXT)]
    if junit:
        assert ('name="cluster" value="blue"' in (suite.root / "junit.xml").read_text()) is (not arguments)


def test_fixture_that_pytest_lacks_is_not_made_up(suite: Suite) -> None:
    """Without pytest's plugin for JUnit XML its fixture is missing, as it is in a session that is not reported."""
    suite.write("test_suite.py", "def test_asks(record_testsuite_property): pass")
    suite.report("-p", "no:junitxml", exit_status=1)
    assert "fixture 'record_testsuite_property' not found" in suite.ran.out
