"""Scripted servers that refuse or apply a part, each with one rule."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from support.scripted_server.server import ScriptedServer, Seen
from support.scripted_server.store import Reply
from support.sessions import TOKEN

Judge: TypeAlias = "Callable[[list[dict[str, Any]], bytes], Reply | None]"
"""Takes the tests of an append and its body; returns a refusal, or None to apply it."""

OPERATIONS = {
    "create-run": r"projects/1/automation/runs$",
    "create-thread": r"/threads$",
    "append-thread": r"/threads/\d+/append$",
    "complete-thread": r"/threads/\d+/complete$",
    "append-run": r"/runs/\d+/append$",
    "complete-run": r"/runs/\d+/complete$",
}
"""The path of each request that changes something."""


class LossyServer(ScriptedServer):
    """Confirms each append, and stores half of its results, or another part of them."""

    kept = 0.5

    def applied(self, seen: Seen) -> Reply:
        if "/threads/" in seen.path and "tests" in seen.json:
            seen.json["tests"] = seen.json["tests"][: int(len(seen.json["tests"]) * self.kept)]
        return super().applied(seen)


class HalfServer(LossyServer):
    """Stores half of the first append of several tests, then answers 500."""

    is_done = False
    reply = Reply(500, {"message": "Server error."})

    def applied(self, seen: Seen) -> Reply:
        if self.is_done or len((seen.json or {}).get("tests", ())) < 2:
            return ScriptedServer.applied(self, seen)
        self.is_done = True
        super().applied(seen)
        return self.reply


class EditedServer(HalfServer):
    """Edits what it shows at a path before it answers; stores half of the first append with ``is_half``."""

    def __init__(self, path: str, edit: Callable[[dict[str, Any]], object], *, is_half: bool = True) -> None:
        super().__init__(token=TOKEN)
        self._path, self._edit, self.is_done = path, edit, not is_half

    def applied(self, seen: Seen) -> Reply:
        reply = super().applied(seen)
        if seen.method == "GET" and reply.status == 200 and re.search(self._path, seen.path):
            self._edit(reply.document)
        return reply


class PickyServer(ScriptedServer):
    """Asks its judge about each append with tests; what the judge answers is not applied."""

    def __init__(self, judge: Judge) -> None:
        super().__init__(token=TOKEN)
        self._judge = judge

    def applied(self, seen: Seen) -> Reply:
        is_append = "/threads/" in seen.path and seen.path.endswith("/append") and "tests" in seen.json
        refusal = self._judge(seen.json["tests"], seen.body) if is_append else None
        return refusal or super().applied(seen)


def unprocessable(errors: dict[str, str] | None = None) -> Reply:
    body: dict[str, Any] = {"message": "The given data was invalid."}
    if errors is not None:
        body["errors"] = {path: [text] for path, text in errors.items()}
    return Reply(422, body)


def naming(part: str, *bad: str) -> Judge:
    """Return a judge that names this part of each bad test."""

    def judge(tests: list[dict[str, Any]], _: bytes) -> Reply | None:
        found = [index for index, test in enumerate(tests) if test["name"] in bad and _has(test, part)]
        return unprocessable({f"tests.{index}.{part}": "It is wrong." for index in found}) if found else None

    return judge


def _has(test: dict[str, Any], part: str) -> bool:
    return not part.startswith("fields") or any(each["name"] == "Text" for each in test.get("fields", []))


def unknown_alias(*aliases: str) -> Judge:
    """Return a judge that does not know these statuses."""

    def judge(tests: list[dict[str, Any]], _: bytes) -> Reply | None:
        found = [index for index, test in enumerate(tests) if test["status"] in aliases]
        return unprocessable({f"tests.{index}.status": "It is unknown." for index in found}) if found else None

    return judge
