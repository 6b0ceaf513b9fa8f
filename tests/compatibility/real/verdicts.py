"""What a session said of each test: by pytest's JUnit XML, and by the server."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import requests

IS_OLD_PYTEST = int(version("pytest").partition(".")[0]) < 9

SEVERITY = ("passed", "skipped", "failure", "error")
"""From the mildest to the worst."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One test by its key: ``cases`` how often it stands there, ``status`` the worst of them."""

    name: str
    status: str
    cases: int


def from_junit(path: Path, *, is_grouped: bool = False) -> dict[str, Verdict]:
    """Return the verdicts of a JUnit XML file by key; ``is_grouped``: names end with a group of pytest-xdist's."""
    found: dict[str, Verdict] = {}
    for case in ET.parse(path).iter("testcase"):
        # A test that was under way when the session stopped, a crash that pytest-rerunfailures has made an attempt, or
        # an internal error of pytest.
        if not {"classname", "name"} <= case.attrib.keys() or case.attrib["classname"] == "pytest":
            continue
        folder, name = case.attrib["classname"], case.attrib["name"]
        name = re.sub(r"@[^\]]*$", "", name) if is_grouped else name
        if IS_OLD_PYTEST:  # pytest 8 spells what is beyond 16 bits, and so a newer pytest has changed the test's key
            name = re.sub("#x1F40D", "\U0001f40d", name)
        address = f"{folder}.{name}" if folder else name
        key = sha256(address.encode()).hexdigest()
        before = found.get(key, Verdict(address, "passed", 0))
        statuses = [before.status, *(each.tag for each in case if each.tag in SEVERITY)]
        found[key] = Verdict(address, max(statuses, key=SEVERITY.index), before.cases + 1)
    return found


def from_server(address: str, token: str, posted: Mapping[str, str] | None) -> dict[str, Verdict]:
    """Return the verdicts that a server has of its only run, read back over its API.

    The API tells passed, failed and neither; ``posted`` has the exact status of each key where it is known.
    """
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        runs = list(_pages(session, f"{address}/api/v1/projects/1/automation/runs", 100))
        if not runs:
            return {}
        (run,) = runs
        tests = list(_pages(session, f"{address}/api/v1/automation/runs/{run['id']}/tests", 1000))
    assert run["is_completed"], "the run is not completed"
    assert run["total_count"] == len(tests)
    by_key: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in tests:
        by_key[each["key"]].append(each)
    found = {}
    for key, rows in by_key.items():
        status = posted[key] if posted is not None else _CLASSES[max(each["status"] for each in rows)]
        in_one_thread = max(Counter(each["thread_id"] for each in rows).values())
        found[key] = Verdict(f"{rows[0]['folder']}.{rows[0]['name']}", status, in_one_thread)
    return found


_CLASSES = {1: "neither", 2: "passed", 3: "failed"}
CLASS_OF = {"passed": "passed", "skipped": "neither", "failure": "failed", "error": "failed"}
"""What the server's reading side makes of each status."""


def _pages(session: requests.Session, address: str, size: int) -> Iterator[dict[str, Any]]:
    page: int | None = 1
    while page is not None:
        answer = session.get(address, params={"page": page, "per_page": size}, timeout=60)
        if answer.status_code == 404:  # nothing was ever reported to the project
            return
        answer.raise_for_status()
        document = answer.json()
        yield from document["result"]
        page = document["next_page"]
