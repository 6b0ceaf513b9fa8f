"""How PostgreSQL reads a store that has become large: along indexes, whatever the size of a run."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import psycopg
import pytest

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.server.pages.lists import project_context, suite_context, suites_context
from pytest_automation_report.server.pages.queries import PageReader, ask
from pytest_automation_report.server.pages.run.page import Documents, RunDocuments, RunPageContext, RunView, facts_in
from pytest_automation_report.server.pages.search import search_context
from pytest_automation_report.server.pages.test.handlers import MOST, CommonValues, TestPageContext, result_context
from pytest_automation_report.server.pages.urls import VIEWS, ListFilters, RunState, TestState
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.postgres import PostgresConnection
from pytest_automation_report.server.store.results import HISTORY_ROWS, PAGE_ROWS
from pytest_automation_report.server.store.search_index import MOST_FOUND
from pytest_automation_report.server.store.searches import Search
from support.clusters import Cluster
from support.service import ON_POSTGRESQL, Service, a_test

pytestmark = ON_POSTGRESQL
LARGE = 20_000
SMALL = 200


@pytest.fixture
def grown(service: Service, cluster: Cluster) -> Service:
    """Return a store with a small and a large run of one source, and twenty others of another."""
    for number in range(22):
        thread_id = service.new_thread(run_id := service.new_run(source="s" if number < 2 else "others"))
        service.append(thread_id, a_test(0))
        source_id, amount = (1 if number < 2 else 2), (LARGE if number == 1 else SMALL)
        cluster.execute(
            f"""
            SET session_replication_role = replica;  -- these references need no check
            INSERT INTO "case" (source_id, key) SELECT {source_id}, 'x' || n FROM generate_series(1, {amount}) AS n
              ON CONFLICT DO NOTHING;
            INSERT INTO result
              (run_id, thread_id, case_id, name, folder, status, result_class, elapsed, created, fingerprint)
              SELECT {run_id}, {thread_id}, id, 'test_' || id, 'a', CASE WHEN id % 20 = 0 THEN 3 ELSE 2 END, 2, 5, 1,
                CASE WHEN id % 20 = 0 THEN 7 END
              FROM "case" WHERE source_id = {source_id} AND key LIKE 'x%' ORDER BY id LIMIT {amount};
            INSERT INTO result (run_id, thread_id, case_id, name, folder, status, result_class, elapsed, created)
              SELECT {run_id}, {thread_id}, id, 'often', 'tests.a', 6, 1, 5, 1
              FROM "case", generate_series(1, 100) WHERE source_id = 2 AND key = 'key0';
            UPDATE run SET total_count = {amount} WHERE id = {run_id};
            """
        )
    cluster.execute("VACUUM ANALYZE")
    return service


class Measure(Protocol):
    def __call__(self, question: Callable[[], object], *tables: str) -> float: ...


@pytest.fixture
def rows_for(service: Service, monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Return a function that asks something and returns at how many rows PostgreSQL looks for it.

    It fails if PostgreSQL looks at every row of one of the tables, which are those that grow with results.
    """
    statements: list[tuple[str, Any]] = []
    execute = PostgresConnection.cursor

    def recorded(connection: PostgresConnection, sql: str, values: Sequence[object] = ()) -> psycopg.Cursor[Any]:
        statements.append((sql.replace("?", "%s"), values or None))
        return execute(connection, sql, values)

    monkeypatch.setattr(PostgresConnection, "cursor", recorded)

    def measured(question: Callable[[], object], *tables: str) -> float:
        statements.clear()
        question()
        asked = [each for each in statements if each[0].startswith(("SELECT", "INSERT", "UPDATE"))]
        assert asked
        assert isinstance(service.place, PostgresDatabase)
        steps: list[dict[str, Any]] = []
        with psycopg.connect(service.place.url) as connection:
            for sql, values in asked:
                ((found,),) = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".encode(), values).fetchall()
                steps += _nodes((found if isinstance(found, list) else json.loads(found))[0]["Plan"])
            connection.rollback()
        scanned = {step["Relation Name"] for step in steps if step["Node Type"] == "Seq Scan"}
        assert scanned & set(tables or ("result", "case")) == set()
        looked_at: list[float] = [
            (step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * step["Actual Loops"]
            for step in steps
            if "Relation Name" in step
        ]
        return sum(looked_at)

    return measured


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _view(documents: Documents, state: RunState, reader: PageReader) -> RunPageContext:
    return RunView(facts_in(reader, state.run_id, documents, 1), state).context()


def _page_values(result_id: int, reader: PageReader) -> TestPageContext:
    return result_context(result_id, TestState(), CommonValues(reader))


def test_what_is_read_does_not_grow_with_a_run(grown: Service, rows_for: Measure) -> None:
    """A run, pages of its tests and what a page shows of it look at as many rows for 20,000 results as for 200."""

    def page(run_id: int) -> None:
        ask(grown.store, lambda reader: reader.tests(run_id, {3: 10, 2: 190}, Search()))

    questions: tuple[Callable[[int], object], ...] = (
        grown.run,
        lambda run_id: grown.get(f"/automation/runs/{run_id}/tests", "per_page=100"),
        lambda run_id: grown.get(f"/automation/runs/{run_id}/tests", "per_page=100&order=asc"),
        lambda run_id: grown.get(f"/automation/runs/{run_id}/tests", f"per_page=100&thread_id={run_id}"),
        page,
    )
    for number, question in enumerate(questions):
        small, large = (rows_for(partial(question, run_id)) for run_id in (1, 2))
        assert large <= small * 1.2, (number, small, large)


def test_the_page_of_a_test_does_not_grow_with_its_run(grown: Service, cluster: Cluster, rows_for: Measure) -> None:
    """A test's page looks at the failures that a reader can go through, and at a bounded part of its run."""
    for run_id in (1, 2):
        ((result_id,),) = cluster.execute(f"SELECT max(id) FROM result WHERE run_id = {run_id} AND status = 3")
        rows = rows_for(partial(ask, grown.store, partial(_page_values, result_id)))
        assert rows <= MOST + 3 * HISTORY_ROWS + 5_200, run_id


def test_the_outcomes_of_a_test_come_from_an_index(grown: Service, cluster: Cluster, rows_for: Measure) -> None:
    """Of a test's 2,000 outcomes only those that are shown are read; a search stops where its page is full."""
    ((often,),) = cluster.execute("SELECT id FROM \"case\" WHERE source_id = 2 AND key = 'key0'")
    assert rows_for(lambda: ask(grown.store, lambda reader: reader.history(often))) <= 3 * HISTORY_ROWS

    search = partial(ask, grown.store, lambda reader: reader.tests(2, {2: 1}, Search("test")))
    ((threads,),) = cluster.execute("SELECT count(*) FROM thread")
    assert rows_for(search) <= PAGE_ROWS + 1 + threads


def test_an_append_looks_at_its_own_tests_only(grown: Service, rows_for: Measure) -> None:
    """Known and new tests are looked up one by one among 20,000 of their source, counts are kept by their rows."""
    tests = [*(a_test(each, key=f"x{each}") for each in range(1, 51)), *(a_test(each) for each in range(5_000, 5_050))]
    assert rows_for(lambda: grown.append(2, *tests)) <= 4 * len(tests) + 20


def test_pages_and_findings_of_a_run_read_its_own_rows(grown: Service, cluster: Cluster, rows_for: Measure) -> None:
    """Each view of a run of 200 tests and its findings look at its rows and not at those of larger runs.

    A search looks at the tests that its index leads to, a limited number of them in their last result.
    """
    for run_id in (3, 4, 5):
        grown.post(f"/automation/runs/{run_id}/complete", {})
        findings(grown.store, run_id)
    cluster.execute("VACUUM ANALYZE")
    documents = RunDocuments(grown.store).of(4, None)
    states = (
        *(RunState(run_id=4, view=view) for view in VIEWS),
        RunState(run_id=4, view="tests", text="test_1"),
        RunState(run_id=4, view="tests", sort="slowest"),
        RunState(run_id=4, view="tests", opened="a/"),
        RunState(run_id=4, view="tests", statuses=frozenset({"3"})),
    )
    questions: dict[str, Callable[[], object]] = {
        state.address: partial(ask, grown.store, partial(_view, documents, state)) for state in states
    }
    questions["the findings"] = lambda: findings(grown.store, 5, 3)
    for name, question in questions.items():
        # Two runs of 300 results, each with its test, the histories of those that say something, and what the verdict
        # counts: modules that could not be collected, killed tests, and how its sessions ended.
        assert rows_for(question) <= 9 * 300, name
    assert rows_for(lambda: ask(grown.store, lambda reader: search_context(reader, "test_1", 2))) <= 4 * MOST_FOUND


def test_lists_of_runs_read_their_own_runs(service: Service, cluster: Cluster, rows_for: Measure) -> None:
    """The lists of a project with 60 runs read nothing of the 20,000 of another one."""
    fields = [{"type": 1, "name": "Branch", "value": "main"}]
    for project_id, source in ((1, "large"), (7, "small"), (7, "smaller")):
        run_id = service.new_run(source=source, project_id=project_id, fields=fields)
        service.append(service.new_thread(run_id), a_test(0))
        service.post(f"/automation/runs/{run_id}/complete", {})
    ((columns,),) = cluster.execute(
        "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
        " WHERE table_name = 'run' AND column_name <> 'id'"
    )
    for run_id, copies in ((1, LARGE), (2, 58)):
        cluster.execute(
            f"INSERT INTO run ({columns})"
            f" SELECT {columns} FROM run, generate_series(1, {copies}) WHERE run.id = {run_id}"
        )
    cluster.execute("VACUUM ANALYZE")
    filters = ListFilters()
    questions: dict[str, Callable[[PageReader], object]] = {
        "runs": lambda reader: project_context(reader, 7, filters),
        "suites": lambda reader: suites_context(reader, 7),
        "suite": lambda reader: suite_context(reader, reader.suite(2), ListFilters(branch="main")),
        "news": lambda reader: reader.state(7),
        "latest run": lambda reader: reader.newest(2, "main"),
    }
    for name, question in questions.items():
        assert rows_for(partial(ask, service.store, question), "run") <= 12 * 60, name
    # Its runs are counted, and looked through for those that go on and for their branches.
    assert rows_for(lambda: ask(service.store, lambda reader: project_context(reader, 1, filters))) <= 3.1 * LARGE
