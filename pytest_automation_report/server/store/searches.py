"""Read what users write to search the tests of a run, and turn it into conditions of a statement.

A search is of words, phrases in quotes, node ids, and fields as in ``owner:web``. A test has each of its words, and of
each field one of its values. `static/report.js` reads the same for the report in one file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Struct

from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.overview import BROWSERS, XPASS, XPASS_CAUSE
from pytest_automation_report.server.store.values import STATUS_IDS, ResultClass, json_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

LEAST_CHARACTERS: Final = 3  # of a part that the index finds
_FIELD: Final = re.compile("([A-Za-z][A-Za-z0-9_-]*):([^:].*)")
# A node id, whose parameters may have spaces; a phrase, maybe of a field; a word.
_TERM: Final = re.compile(r'([^\s"]*::[^\s"\[]*\[.*?\](?!\S))|(?:([A-Za-z][A-Za-z0-9_-]*):)?"([^"]*)"?(?!\S)|(\S+)')

_lane = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18})\.([0-9]{1,18})\.(failed|flaky|skipped|passed))?").fullmatch


class Term(NamedTuple):
    """A part of a search: a field in small letters, empty for a word, and its value."""

    field: str
    value: str

    def __str__(self) -> str:
        value = f'"{self.value}"' if re.search(r"\s", self.value) else self.value
        return f"{self.field}:{value}" if self.field else value


def terms_of(text: str) -> list[Term]:
    """Return the parts of a search."""
    terms = []
    for node, field, phrase, word in _TERM.findall(text):
        match = _FIELD.fullmatch(word)
        found = Term(match[1].lower(), match[2]) if match else Term(field.lower(), node or phrase or word)
        terms += [found] if found.value.strip('"') else []
    return terms


def toggled(text: str, term: Term) -> str:
    """Return a search with a term added, or without it if it has it."""
    if term not in terms_of(text):
        return f"{text} {term}".strip()
    return " ".join(str(each) for each in terms_of(text) if each != term)


def mistakes_in(text: str, words: Collection[str]) -> list[str]:
    """Return a sentence for each value that a field cannot have; ``words`` are the values of ``is``."""
    known = {"is": words, "status": STATUS_IDS}
    return [
        f"{term} is left out: write {term.field}: with {', '.join(known[term.field])}."
        if known[term.field]
        else f"{term} is left out: it is for the tests of one run."
        for term in terms_of(text)
        if term.field in known and term.value.lower() not in known[term.field]
    ]


def parts_of(text: str) -> list[str]:
    """Return the parts that name, folder, file or message of each test have that a search finds, without short ones.

    ``price tests/test_a.py::test_b owner:web`` has the parts ``price``, ``tests.test_a`` and ``test_b``.
    """
    words = [value for field, value in terms_of(text) if not field]
    parts = [part for word in words for part in (_place_of(word) if "::" in word else [word])]
    return [part for part in parts if len(part) >= LEAST_CHARACTERS]


class Lane(Struct, frozen=True):
    """The tests of one thread, or of one block of its lane: results of ``kind`` with ids from ``first`` to ``last``."""

    thread: int
    first: int = 0
    last: int = 0
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.thread}.{self.first}.{self.last}.{self.kind}" if self.kind else str(self.thread)

    @classmethod
    def of(cls, text: str) -> Lane:
        """Return the value of a text in an address; raises `ValueError` for any other text."""
        match = _lane(text)
        if match is None:
            raise ValueError("Must be the number of a thread, or THREAD.FIRST.LAST.KIND.")
        return cls(int(match[1]), int(match[2]), int(match[3]), match[4]) if match[4] else cls(int(match[1]))


class Search(Struct, frozen=True):
    """Conditions for the tests of a page; None is any. ``lists`` has the results of each word of the field ``is``."""

    text: str = ""
    folder: str | None = None
    fingerprint: int | None = None
    ids: Collection[int] | None = None  # results of a list of findings
    is_flaky: bool = False  # of those that passed the ones after a failed attempt
    lane: Lane | None = None
    lists: Mapping[str, Collection[int]] = {}

    @property
    def is_any(self) -> bool:
        """Whether the search has no condition."""
        return self == Search(lists=self.lists)

    def sql(self, like: str) -> tuple[str, list[Any]]:
        """Return the conditions, each after an AND, and their values; ``like`` is the word for a pattern."""
        found: list[tuple[str, Sequence[object]]] = self._of_terms(like)
        if self.folder is not None:
            found.append(('"folder" = ?', (self.folder,)))
        if self.fingerprint is not None:
            found.append(('"fingerprint" = ?', (self.fingerprint,)))
        if self.ids is not None:
            found.append(_of_ids(self.ids))
        if self.is_flaky:
            found.append((f'"failed_attempts" IS NOT NULL OR "result_class" <> {ResultClass.SUCCESS}', ()))
        if self.lane is not None:
            found.append(('"thread_id" = ?', (self.lane.thread,)))
            if self.lane.kind:
                found.append(
                    (f'"id" BETWEEN ? AND ? AND {_OF_KIND[self.lane.kind]}', (self.lane.first, self.lane.last))
                )
        return "".join(f" AND ({sql})" for sql, _ in found), [value for _, values in found for value in values]

    def _of_terms(self, like: str) -> list[tuple[str, Sequence[object]]]:
        conditions: list[tuple[str, Sequence[object]]] = []
        fields: dict[str, list[tuple[str, Sequence[object]]]] = {}
        for field, value in terms_of(self.text):
            if not field:
                conditions.append(like_any(like, *_patterns(value)))
            elif field == "is":
                fields.setdefault(field, []).extend(self._of_list(value.lower()))
            elif field == "status":
                known = STATUS_IDS.get(value.lower())
                fields.setdefault(field, []).extend([] if known is None else [('"status" = ?', (known,))])
            else:
                fields.setdefault(field, []).append(_of_field(like, field, value))
        for choices in filter(None, fields.values()):
            sql = " OR ".join(f"({each})" for each, _ in choices)
            conditions.append((sql, [value for _, values in choices for value in values]))
        return conditions

    def _of_list(self, word: str) -> list[tuple[str, Sequence[object]]]:
        if word == XPASS:
            return [('"causes" LIKE ?', (XPASS_CAUSE,))]
        if word not in self.lists:
            return []
        listed = _of_ids(self.lists[word])
        return [listed, (_OF_KIND["flaky"], ())] if word == "flaky" else [listed]


_OF_KIND: Final = {
    "failed": f'"result_class" = {ResultClass.FAILURE}',
    "skipped": f'"result_class" NOT IN ({ResultClass.SUCCESS}, {ResultClass.FAILURE})',
    "passed": f'"result_class" = {ResultClass.SUCCESS} AND "failed_attempts" IS NULL',
    "flaky": f'"result_class" = {ResultClass.SUCCESS} AND "failed_attempts" IS NOT NULL',
}


def _of_ids(ids: Collection[int]) -> tuple[str, Sequence[object]]:
    return f'"id" IN ({marks([*ids])})', [*ids]


def _of_field(like: str, field: str, value: str) -> tuple[str, Sequence[object]]:
    """Return the condition for a field that a test has, or that its name shows; else the test has the text itself."""
    if field == "file":
        return like_any(like, dict.fromkeys(("file", "folder"), f"%{escaped(value)}%"))
    # The members of a stored field stand in this order; a dash may be a space in its name.
    name = escaped(json_text(value if field == "mark" else field)).replace("-", "_")
    own = "%" if field == "mark" else f"{escaped(json_text(value))}%"
    patterns = {"fields": f'%"type":_,"name":{name},"value":{own}'}
    if field == "owner":
        patterns["owner"] = escaped(value)
    stored = like_any(like, patterns)
    if field == "mark":
        return stored
    named = like_any(like, dict.fromkeys(("name", "folder", "file", "message"), f"%{escaped(f'{field}:{value}')}%"))
    choices = [stored, named]
    if field == "param" or (field == "browser" and value.lower() in BROWSERS):
        own = escaped(value)
        ways = (f"%[{own}]", f"%[{own}-%", f"%-{own}-%]", f"%-{own}]")
        choices += [like_any(like, {"name": way}) for way in ways]
    return " OR ".join(sql for sql, _ in choices), [each for _, values in choices for each in values]


def _patterns(text: str) -> tuple[dict[str, str], str]:
    """Return what the columns of a test that a text finds are like, and the word between these conditions."""
    if "::" not in text:
        return dict.fromkeys(("name", "folder", "file", "message"), f"%{escaped(text)}%"), "OR"
    folder, name = _place_of(text)
    # A whole name is pasted, with or without its parameters; one that is still being typed is found by its beginning.
    return {"folder": f"%{escaped(folder)}" + ("" if name else "%"), "name": f"{escaped(name)}%"}, "AND"


def _place_of(node_id: str) -> tuple[str, str]:
    """Return the folder of a test and its name, as they are stored, by a node id, maybe one that is being typed."""
    path, _, inner = node_id.partition("::")
    names, bracket, params = inner.partition("[")
    scopes, _, last = names.rpartition("::")
    module = path.replace("\\", "/").removesuffix(".py").replace("/", ".")
    folder = f"{module}.{scopes.replace('::', '.')}" if scopes else module
    return folder, f"{last}[{params}" if bracket else last


def like_any(like: str, patterns: Mapping[str, str], word: str = "OR") -> tuple[str, list[str]]:
    """Return the condition that columns are like these patterns, whatever their capitals; and its values."""
    conditions = [f"\"{column}\" {like} ? ESCAPE '\\'" for column in patterns]
    return f" {word} ".join(conditions), list(patterns.values())


def escaped(text: str) -> str:
    """Return a text for a pattern, in which it finds itself alone."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
