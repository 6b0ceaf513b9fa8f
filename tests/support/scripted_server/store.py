"""The API's memory for tests: runs, threads and results, with honest counts, and nothing of the package."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

MOMENT = "2026-01-02T03:04:05.000Z"

# alias -> (status id, is passed, is failed, is final); the class of the result follows from it
ALIASES = {
    "untested": (1, False, False, False),
    **dict.fromkeys(("passed", "pass", "success", "ok"), (2, True, False, True)),
    **dict.fromkeys(("failed", "fail", "failure", "error"), (3, False, True, True)),
    "retest": (4, False, False, False),
    "blocked": (5, False, False, True),
    **dict.fromkeys(("skipped", "skip"), (6, False, False, True)),
}


@dataclass(frozen=True)
class Reply:
    """An answer of the API, or of a script: a JSON value or raw bytes."""

    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


@dataclass
class Thread:
    id: int
    run: "Run"
    index: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    resources: dict[str, list[Any]] = field(default_factory=dict)
    observed: int | None = None
    computed: int | None = None
    is_completed: bool = False


@dataclass
class Run:
    id: int
    project_id: int
    body: dict[str, Any]
    threads: list[Thread] = field(default_factory=list)
    resources: dict[str, list[Any]] = field(default_factory=dict)
    is_completed: bool = False
    created_at: str = MOMENT
    completed_at: str = MOMENT


class Refused(Exception):  # noqa: N818 - it is an answer, not a mistake
    def __init__(self, status: int, message: str, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.reply = Reply(status, {"message": message, **({"errors": errors} if errors else {})})


class Store:
    """What the server has applied; ``results`` holds (run id, thread id, test) in the order of arrival.

    ``seconds`` are its clock: it goes on by one with each run that is created or completed, unless ``is_clock_still``.
    """

    is_clock_still = False

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}
        self.threads: dict[int, Thread] = {}
        self.results: list[tuple[int, int, dict[str, Any]]] = []
        self.seconds = 0

    def _moment(self) -> str:
        self.seconds += not self.is_clock_still
        now = datetime.fromisoformat(MOMENT.replace("Z", "+00:00")) + timedelta(seconds=self.seconds)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def apply(self, method: str, path: str, query: str, body: object) -> Reply:
        """Do what a request asks for; ``body`` is its JSON value."""
        try:
            for wanted, pattern, operation in self._operations():
                match = re.fullmatch(f"/api/v1/{pattern}", path)
                if match and method == wanted:
                    arguments = [int(each) for each in match.groups()]
                    return operation(*arguments, _object(body) if method == "POST" else parse_qs(query))
        except Refused as refused:
            return refused.reply
        return Reply(404, {"message": "The resource does not exist."})

    def _operations(self) -> list[tuple[str, str, Callable[..., Reply]]]:
        run, thread = r"automation/runs/(\d+)", r"automation/runs/threads/(\d+)"
        return [
            ("POST", r"projects/(\d+)/automation/runs", self._create_run),
            ("GET", r"projects/(\d+)/automation/runs", self._list_runs),
            ("GET", run, self._get_run),
            ("POST", f"{run}/append", self._append_run),
            ("POST", f"{run}/complete", self._complete_run),
            ("GET", f"{run}/tests", self._list_tests),
            ("POST", f"{run}/threads", self._create_thread),
            ("POST", f"{thread}/append", self._append_thread),
            ("POST", f"{thread}/complete", self._complete_thread),
        ]

    def _create_run(self, project_id: int, body: dict[str, Any]) -> Reply:
        missing = {name: [f"The {name} field is required."] for name in ("name", "source") if not body.get(name)}
        if missing:
            raise Refused(422, "The given data was invalid.", missing)
        run = Run(len(self.runs) + 1, project_id, body, resources=_resources(body), created_at=self._moment())
        self.runs[run.id] = run
        return Reply(201, {"id": run.id})

    def _list_runs(self, project_id: int, query: dict[str, list[str]]) -> Reply:
        runs = [each for each in self.runs.values() if each.project_id == project_id]
        if not runs:
            raise Refused(404, "The project does not exist or was deleted.")
        ordered = runs if query.get("order") == ["asc"] else runs[::-1]
        return Reply(200, {**_page([_run_json(each) for each in ordered], query), "expands": {}})

    def _get_run(self, run_id: int, _: dict[str, list[str]]) -> Reply:
        return Reply(200, {"result": _run_json(self._run(run_id)), "expands": {}})

    def _append_run(self, run_id: int, body: dict[str, Any]) -> Reply:
        run = self._open_run(run_id)
        for name, values in _resources(body).items():
            run.resources.setdefault(name, []).extend(values)
        return Reply(204)

    def _complete_run(self, run_id: int, _: dict[str, Any]) -> Reply:
        run = self._open_run(run_id)
        run.is_completed, run.completed_at = True, self._moment()
        for each in run.threads:
            each.is_completed = True
        return Reply(204)

    def _list_tests(self, run_id: int, query: dict[str, list[str]]) -> Reply:
        run = self._run(run_id)
        wanted = query.get("thread_id")
        rows = [row for each in run.threads if wanted in (None, [str(each.id)]) for row in each.rows]
        rows.sort(key=lambda row: row["automation_test_id"], reverse=query.get("order") != ["asc"])
        return Reply(200, _page(rows, query))

    def _create_thread(self, run_id: int, body: dict[str, Any]) -> Reply:
        run = self._open_run(run_id)
        thread = Thread(
            len(self.threads) + 1,
            run,
            len(run.threads) + 1,
            resources=_resources(body),
            observed=body.get("elapsed_observed"),
            computed=body.get("elapsed_computed"),
        )
        run.threads.append(thread)
        self.threads[thread.id] = thread
        return Reply(201, {"id": thread.id})

    def _append_thread(self, thread_id: int, body: dict[str, Any]) -> Reply:
        thread = self._open_thread(thread_id)
        tests = body.get("tests", [])
        errors = {
            f"tests.{index}.status": ["The status is unknown."]
            for index, test in enumerate(tests)
            if test.get("status") not in ALIASES
        }
        if errors:
            raise Refused(422, "The given data was invalid.", errors)
        for test in tests:
            self.results.append((thread.run.id, thread.id, test))
            thread.rows.append(_row(len(self.results), thread.id, test))
        for name, values in _resources(body).items():
            thread.resources.setdefault(name, []).extend(values)
        if "elapsed_observed" in body:
            thread.observed = (thread.observed or 0) + body["elapsed_observed"]
        if "elapsed_computed" in body:
            thread.computed = (thread.computed or 0) + body["elapsed_computed"]
        return Reply(204)

    def _complete_thread(self, thread_id: int, body: dict[str, Any]) -> Reply:
        thread = self._open_thread(thread_id)
        thread.observed = body.get("elapsed_observed", thread.observed)
        thread.computed = body.get("elapsed_computed", thread.computed)
        thread.is_completed = True
        return Reply(204)

    def _run(self, run_id: int) -> Run:
        if run_id not in self.runs:
            raise Refused(404, "The automation run does not exist or was deleted.")
        return self.runs[run_id]

    def _open_run(self, run_id: int) -> Run:
        run = self._run(run_id)
        if run.is_completed:
            raise Refused(422, "The automation run is completed.")
        return run

    def _open_thread(self, thread_id: int) -> Thread:
        if thread_id not in self.threads:
            raise Refused(404, "The thread does not exist or was deleted.")
        thread = self.threads[thread_id]
        if thread.is_completed:
            raise Refused(422, "The thread is completed.")
        return thread


def _object(body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Refused(400, "The request body is not a JSON object.")
    return body


def _resources(body: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: list(body[name]) for name in ("fields", "links", "artifacts") if name in body}


def _shown_resources(resources: dict[str, list[Any]], *names: str) -> dict[str, Any]:
    return {
        name: [{k: v for k, v in each.items() if k != "is_highlight"} for each in resources.get(name, [])]
        for name in names
    }


def _row(number: int, thread_id: int, test: dict[str, Any]) -> dict[str, Any]:
    _, is_passed, is_failed, _ = ALIASES[test["status"]]
    result_class = 2 if is_passed else 3 if is_failed else 1
    return {
        "automation_test_id": number, "automation_case_id": number, "repository_case_id": None,
        "key": test["key"], "name": test["name"], "folder": test["folder"], "status": result_class,
        "elapsed": test.get("elapsed"), "thread_id": thread_id, "created_at": MOMENT, "alias": test["status"],
    }  # fmt: skip


def _counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    statuses = [ALIASES[row["alias"]] for row in rows]
    counts = {f"status{number}_count": sum(each[0] == number + 1 for each in statuses) for number in range(1, 25)}
    return {
        **counts,
        "untested_count": sum(each[0] == 1 for each in statuses),
        "success_count": sum(each[1] for each in statuses),
        "failure_count": sum(each[2] for each in statuses),
        "completed_count": sum(each[3] for each in statuses),
        "total_count": len(rows),
    }


def _state(counts: dict[str, int], *, is_completed: bool) -> dict[str, Any]:
    return {
        **counts,
        "is_completed": is_completed,
        "status": (3 if counts["failure_count"] else 2) if is_completed else 4,
        "created_at": MOMENT, "created_by": 1,
        "completed_at": MOMENT if is_completed else None, "completed_by": 1 if is_completed else None,
    }  # fmt: skip


def _thread_json(thread: Thread) -> dict[str, Any]:
    return {
        "id": thread.id, "index": thread.index, "name": f"Thread {thread.index}",
        "elapsed": thread.computed if thread.observed is None else thread.observed,
        **_shown_resources(thread.resources, "fields", "artifacts"),
        **_state(_counts(thread.rows), is_completed=thread.is_completed),
    }  # fmt: skip


def _run_json(run: Run) -> dict[str, Any]:
    done = sum(each.is_completed for each in run.threads)
    return {
        "id": run.id, "project_id": run.project_id, "source_id": 1, "name": run.body["name"], "elapsed": None,
        "config_id": run.body.get("config_id"), "milestone_id": run.body.get("milestone_id"),
        "tags": run.body.get("tags", []), "threads": [_thread_json(each) for each in run.threads],
        "thread_count": len(run.threads), "thread_active_count": len(run.threads) - done,
        "thread_completed_count": done, "updated_at": None, "updated_by": None,
        **_shown_resources(run.resources, "fields", "links", "artifacts"),
        **_state(_counts([row for each in run.threads for row in each.rows]), is_completed=run.is_completed),
        "created_at": run.created_at, "completed_at": run.completed_at if run.is_completed else None,
    }  # fmt: skip


def _page(items: list[dict[str, Any]], query: dict[str, list[str]]) -> dict[str, Any]:
    number, size = int(query.get("page", ["1"])[0]), int(query.get("per_page", ["100"])[0])
    last = -(-len(items) // size)
    return {
        "page": number if items else None, "prev_page": number - 1 if items and number > 1 else None,
        "next_page": number + 1 if number < last else None, "last_page": last or None,
        "per_page": size, "total": len(items), "result": items[(number - 1) * size : number * size],
    }  # fmt: skip
