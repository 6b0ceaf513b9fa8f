from typing import Any

from support.service import Service


def _set(service: Service, name: str, *tags: str, project_id: int = 1) -> int:
    return service.store.write(lambda writer: writer.set_milestone(project_id, name, tags))


def _milestone(service: Service, **properties: Any) -> int | None:  # noqa: ANN401 - those of `Service.new_run`
    found: int | None = service.run(service.new_run(**properties))["milestone_id"]
    return found


def test_a_run_belongs_to_the_milestone_that_has_one_of_its_tags(service: Service) -> None:
    """A tag of its own project is enough; tags are compared letter by letter; no tag, no milestone."""
    milestone = _set(service, "1.0", "release-1", "v1")
    _set(service, "elsewhere", "v2", project_id=2)
    assert _milestone(service, tags=["nightly", "v1"]) == milestone
    assert _milestone(service, tags=["V1"]) is None
    assert _milestone(service, tags=["v2"]) is None
    assert _milestone(service) is None


def test_what_a_run_names_counts_before_its_tags(service: Service) -> None:
    """Id and name of a milestone win, and the run is found and shown with the one it belongs to."""
    tagged, other = _set(service, "tagged", "v1"), _set(service, "other")
    assert _milestone(service, tags=["v1"], milestone="other") == other
    assert _milestone(service, tags=["v1"], milestone_id=other) == other
    run = service.new_run(tags=["v1"])
    listed = service.get("/projects/1/automation/runs", f"milestone_id={tagged}&expands=milestones").json
    assert [each["id"] for each in listed["result"]] == [run]
    assert listed["expands"]["milestones"] == [{"id": tagged, "name": "tagged"}]


def test_of_several_milestones_the_newest_takes_the_run(service: Service) -> None:
    """A tag that goes from one milestone to the next needs no cleaning up."""
    _set(service, "1.0", "main")
    newest = _set(service, "2.0", "main")
    assert _milestone(service, tags=["main"]) == newest
