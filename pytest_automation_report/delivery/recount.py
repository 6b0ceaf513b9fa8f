"""Find out which confirmed results a server does not have, if its counts differed from those that it had confirmed.

Such a session is kept, since its files may be the only copy. Each result is looked for by its key in its worker's
threads, so what is there is not sent twice.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from pytest_automation_report.api.responses import RefusedError, UnknownAnswerError
from pytest_automation_report.delivery.reconciliation import shown_results
from pytest_automation_report.delivery.requests import NOT_FOUND
from pytest_automation_report.spool.ledger import UnshownRecord

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Test
    from pytest_automation_report.delivery.dispatcher import Delivery, SessionFollower

# Of a result: its key, or its folder and name, of which keys are made, where the server shows no keys.
_Key: TypeAlias = "str | tuple[str | None, str | None]"
_Shown: TypeAlias = dict[str, Counter[_Key]]


def unshown(follower: SessionFollower, delivery: Delivery) -> UnshownRecord:
    """Return which confirmed results the server does not show; ``follower`` has read nothing of the session so far.

    Raises `ClientError` if the server does not answer.
    """
    try:
        shown = _agreed(delivery)
    except RefusedError as error:
        delivery.runtime.log(f"{error}: the server does not show which results it has")
        return UnshownRecord(None)
    offsets: dict[str, list[int]] = {}
    while True:
        follower.read()
        follower.decide_end(delivery.runtime.clock())
        for worker, queue in follower.queues.by_worker.items():
            progress = delivery.state.progress(worker)
            for result in queue.results:
                if progress.is_acknowledged(result.offset) and not _is_taken(shown[worker], result.test):
                    offsets.setdefault(worker, []).append(result.offset)
            queue.results.clear()  # a large file is never held in memory as a whole
        if follower.queues.is_decided or not follower.files.is_behind:
            break
    delivery.runtime.log(f"{sum(map(len, offsets.values()))} confirmed results are not on the server")
    return UnshownRecord({worker: tuple(found) for worker, found in offsets.items()})


def _is_taken(shown: Counter[_Key], test: Test) -> bool:
    """Take one of the shown results that has the key of a test; return whether there was one."""
    for key in (test.key, (test.folder, test.name)):
        if shown[key]:
            shown[key] -= 1
            return True
    return False


def _agreed(delivery: Delivery) -> _Shown:
    """Return what the server shows of each worker's results, if two reads agree."""
    shown = _read(delivery)
    time.sleep(delivery.timeouts.read_back)
    if shown != _read(delivery):
        raise UnknownAnswerError("the server's list of the run's results changes: what it lacks is not known yet")
    return shown


def _read(delivery: Delivery) -> _Shown:
    run_id, workers = delivery.state.run, delivery.state.progress_by_worker.items()
    assert run_id is not None
    run, shown = delivery.client.run(run_id), {}
    for worker, progress in workers:
        shown[worker] = Counter[_Key]()
        for number in progress.threads:
            rows, thread = list(shown_results(delivery.client, run_id, number)), run.thread(number)
            # A server may know no threads in its list, or cut it.
            # A server of ours lists fixtures that tests share beside the tests, which alone it counts.
            if thread is None or thread.total > len(rows):
                raise RefusedError(f"the list of results of thread {number} cannot be followed", NOT_FOUND)
            shown[worker].update(row.key or (row.folder, row.name) for row in rows)
    return shown
