"""How users write it: checked by mypy and pyright, never run."""

from pathlib import Path

from pytest_automation_report import (
    Additions,
    Artifact,
    AutomationReport,
    Field,
    FieldType,
    Link,
    RunAdditions,
    Summary,
    artifact,
    field,
    link,
    step,
)


def functions(automation_report: AutomationReport) -> None:
    for report in (automation_report, AutomationReport()):
        report.field("name", 1)
        report.field("name", "value", type="console")
        report.field("name", "value", type=FieldType.HTML)
        report.link("https://example.org", "name")
        report.artifact(Path("a.png"), "a", mime_type="image/png")
        report.artifact(lambda: b"bytes", "b")
        with report.step("outer"), report.step("inner"):
            pass
    field("name", None, "url")
    link("https://example.org")
    artifact(b"bytes", "c")
    with step("outer"):
        pass


def additions() -> tuple[Additions, RunAdditions]:
    test = Additions(key="key", folder="folder", fields=[Field("a", "b")], artifacts=(Artifact("a", "https://b.c"),))
    return test, RunAdditions(name="name", tags=["tag"], links=[Link("a", "https://b.c")])


def numbers(summary: Summary) -> int:
    return summary.delivered + summary.kept + sum(summary.counts.values())
