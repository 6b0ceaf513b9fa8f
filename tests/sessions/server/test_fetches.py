from typing import Any

from support.scripted_server.server import ScriptedServer
from support.service import Service, a_test


def test_no_address_that_it_was_given_is_asked(service: Service) -> None:
    """Whatever addresses come with runs, threads and tests, and are read and shown again: nobody hears of them."""
    with ScriptedServer() as elsewhere:
        place = {"name": "Log", "url": f"{elsewhere.address}/picture.png"}
        field = {"type": 5, "name": "Address", "value": place["url"]}
        given: dict[str, Any] = {"artifacts": [place], "fields": [field]}
        run_id = service.new_run(links=[place], **given)
        thread_id = service.new_thread(run_id, **given)
        service.append(thread_id, a_test(1, **given))
        assert place["url"] in service.get(f"/automation/runs/{run_id}").text
        assert service.get(f"/automation/runs/{run_id}/tests").json["total"] == 1
        assert service.post(f"/automation/runs/{run_id}/complete", {}).status_code == 204
        assert elsewhere.connection_count == 0
