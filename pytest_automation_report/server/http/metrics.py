"""Count and log answered requests, and write the numbers of the server in Prometheus' text form."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

import falcon

from pytest_automation_report.server.http.guard import without_code
from pytest_automation_report.server.store.maintenance import StoreNumbers, store_numbers
from pytest_automation_report.server.store.values import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_automation_report.server.http.tokens import Tokens
    from pytest_automation_report.server.store.store import Store

_logger = logging.getLogger(__name__)

_PREFIX: Final = "automation_report_"
_FIRST_ERROR, _FIRST_FAILURE = 400, 500
_KINDS: Final[Mapping[int, str]] = {401: "token", 403: "forbidden", 404: "not_found", 429: "busy"}


class Metrics:
    """The numbers of one server; as the first middleware it sees every response, also of refused requests."""

    def __init__(self, store: Store, tokens: Tokens) -> None:
        self._store = store
        self._tokens = tokens
        self._lock = threading.Lock()
        self._requests = Counter[tuple[str, int]]()  # by method and status
        self._errors = Counter[str]()
        self._counts = Counter[str]()  # by what was asked for
        self._seconds = defaultdict[str, float](float)

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Store the start time of the request."""
        del resp
        req.context["started"] = time.perf_counter()

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,  # noqa: FBT001 - the signature is falcon's
    ) -> None:
        """Count the response, and log it."""
        del resource, req_succeeded
        started: Any = req.context["started"]
        seconds, status = time.perf_counter() - started, resp.status_code
        kind = "api" if req.path.startswith("/api/") else "other"
        if req.method == "POST" and req.path.endswith("/append"):
            kind = "append"
        # A client may send any text as its method.
        method = req.method if req.method in falcon.COMBINED_METHODS else "other"
        with self._lock:
            self._requests[method, status] += 1
            self._counts[kind] += 1
            self._seconds[kind] += seconds
            if status >= _FIRST_ERROR:
                usual = "invalid" if status < _FIRST_FAILURE else "server"
                self._errors[req.context.get("error") or _KINDS.get(status, usual)] += 1
        path = self._tokens.hidden(without_code(req.path))
        _logger.debug("%s: %s %s %s %.0f ms", sender_of(req), req.method, path, status, seconds * 1000)

    def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
        """Answer with all numbers; without a database only with the numbers of this process."""
        numbers = None
        try:
            numbers = self._store.read(store_numbers)
        except ApiError:
            _logger.debug("the metrics have no numbers of the store")
        resp.content_type = "text/plain; version=0.0.4; charset=utf-8"
        resp.text = "".join(f"{line}\n" for line in self._lines(numbers))

    def _lines(self, numbers: StoreNumbers | None) -> Iterator[str]:
        with self._lock:
            requests, errors = {**self._requests}, {**self._errors}
            counts, seconds = {**self._counts}, {**self._seconds}
        errors["token"] = self._tokens.refused  # and requests that were refused before their body was read
        by_status = {f'{{method="{method}",status="{status}"}}': count for (method, status), count in requests.items()}
        by_kind = {f'{{kind="{kind}"}}': count for kind, count in errors.items()}
        yield from _metric("requests_total", "counter", "Answered requests.", by_status)
        yield from _metric("errors_total", "counter", "Refused and failed requests.", by_kind)
        yield from _metric("request_seconds", "summary", "Time to answer requests.", {
            **{f'_sum{{kind="{kind}"}}': f"{total:.6f}" for kind, total in seconds.items()},
            **{f'_count{{kind="{kind}"}}': count for kind, count in counts.items()},
        })  # fmt: skip
        yield from _metric("appends_total", "counter", "Answered appends.", {"": counts.get("append", 0)})
        yield from _metric("store_up", "gauge", "1 if the database answers.", {"": int(numbers is not None)})
        if numbers is None:
            return
        yield from _metric("runs", "gauge", "Stored runs.", {"": numbers.runs})
        yield from _metric("open_runs", "gauge", "Runs that are not completed.", {"": numbers.open_runs})
        yield from _metric("results", "gauge", "Stored results.", {"": numbers.results})
        yield from _metric("store_bytes", "gauge", "Size of the store.", {"": numbers.size})
        if numbers.pruned is not None:
            age = time.time() - numbers.pruned / 1_000_000
            yield from _metric("prune_age_seconds", "gauge", "Time since the last prune.", {"": f"{age:.0f}"})


def _metric(name: str, kind: str, words: str, samples: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of one metric; each sample's key is the end of its name with its labels."""
    yield f"# HELP {_PREFIX}{name} {words}"
    yield f"# TYPE {_PREFIX}{name} {kind}"
    yield from (f"{_PREFIX}{name}{end} {value}" for end, value in samples.items())


def sender_of(req: falcon.Request) -> str:
    """Return who sent a request, for the log: the address, and the name of the token or user."""
    grant: Any = req.context.get("grant")
    name = req.context.get("user") or (grant.name if grant is not None else "")
    return f"{req.remote_addr} ({name})" if name else req.remote_addr
