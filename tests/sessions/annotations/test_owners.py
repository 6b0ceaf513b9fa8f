"""Failed tests have the owners of their file, which the digest groups by."""

from docs.written import block
from support.projects import Project, console


def test_failed_tests_have_owners(project: Project) -> None:
    """The setting `owners` gives failed tests a field, by paths of the repository; the digest groups by it."""
    project.write(".github/CODEOWNERS", "* @all\nsub/test_web.py @web\n")
    root = project.root / "sub"
    inner = Project(root)
    inner.write("pytest.ini", block("docs/known.md", "automation_report_owners").replace(".github", "../.github"))
    inner.write("test_web.py", "def test_a(): assert 0\ndef test_b(): pass\n")
    inner.write("test_other.py", "def test_a(): assert {}\n")
    inner.report(exits=1)
    digest = console(root, "failures", exits=0).out
    web, _, others = digest.partition("owned by @all:")
    assert "owned by @web:" in web
    assert ["::test_a" in part for part in (web, others)] == [True, True]
    assert ["test_web.py" in part for part in (web, others)] == [True, False]
    comment = console(root, "failures", "--format", "markdown", exits=0).out
    # Without the empty lines the second owner would be a part of the item before it.
    assert [f"\n\nowned by `{owner}`:\n\n- 1 test" in comment for owner in ("@web", "@all")] == [True, True]
    document = console(root, "failures", "--format", "json", exits=0).out
    assert '"owner":"@web"' in document
    results = console(root, "run", "export", "--format", "json", exits=0).out
    assert [f'"owner": "{owner}"' in results for owner in ("@web", "@all")] == [True, True]


def test_file_that_is_not_there(project: Project) -> None:
    """A file of owners that cannot be read is a usage error."""
    project.write("pytest.ini", "[pytest]\nautomation_report_owners = CODEOWNERS\n")
    assert "automation_report_owners" in project.report(exits=4).err
