"""Checks requests and answers against the API contract in docs/openapi.yaml.

Used around the embedded server (`Contract.wsgi`) and by the scripted one, for what clients send it.
"""

from __future__ import annotations

import io
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl

import yaml
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from pytest_automation_report.api.models import Json
from support.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Application: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
    Note: TypeAlias = Callable[[dict[str, Any], bytes, int, bytes], None]
    """Takes the environment of a request, its body, and status and body of the answer."""

_DOCUMENT = "urn:contract"
_OUTSIDE = re.compile(r"/healthz|/artifacts.*|/api/v1/automation/(runs/[0-9]+/(findings|results)|sources/[0-9]+/flaky)")
"""Paths of the embedded server that the contract does not have."""

_EXTRA_STATUSES = frozenset({405, 413, 415, 500})
"""What a server may answer although the contract lists it for no operation."""

_BODY_MAY_BE_MISSING = frozenset({"createAutomationRunThread", "completeAutomationRunThread", "completeAutomationRun"})
"""The contract asks servers, not clients, to be lenient here."""


# Shared by all contracts of this process: parsing takes 0.2 s, and nearly every test has a contract of its own.
@cache
def contract() -> Json:
    """Read the contract; do not change it."""
    document: Json = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_bytes())
    return document


@cache
def _registry() -> Registry[Any]:
    resource = Resource.from_contents(contract(), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource(_DOCUMENT, resource)
    return registry


@cache
def _validator(pointer: str) -> Any:  # noqa: ANN401 - the library has no types
    schema = {"$ref": f"{_DOCUMENT}#{pointer}"}
    return OAS31Validator(schema, registry=_registry(), format_checker=oas31_format_checker)


class Contract:
    """The contract; ``violations`` collects what the wrappers saw."""

    def __init__(self) -> None:
        self._document = contract()
        self._paths = [
            (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), path) for path in self._document["paths"]
        ]
        self.violations: list[str] = []

    def check_request(
        self, method: str, path: str, query: str, body: bytes | None, *, body_may_be_missing: bool = False
    ) -> None:
        """Raise AssertionError unless the contract has this request."""
        where, values, operation = self._operation(method, path)
        parameters = [self._resolved(each) for each in self._parameters(where, operation)]
        for parameter in parameters:
            if parameter["in"] == "path":
                self._check_parameter(parameter, values[parameter["name"]], f"{method} {path}")
        known = {each["name"]: each for each in parameters if each["in"] == "query"}
        for name, value in parse_qsl(query, keep_blank_values=True):
            assert name in known, f"{method} {path}: the contract has no query parameter {name!r}"
            self._check_parameter(known[name], value, f"{method} {path}")
        if "requestBody" not in operation:
            assert not body, f"{method} {path}: the contract has no body here"
        elif body:
            pointer = f"{_operation_pointer(where, method)}/requestBody/content/application~1json/schema"
            self._check(pointer, _parsed(body, f"{method} {path}"), f"request body of {method} {path}")
        else:
            lenient = body_may_be_missing and operation["operationId"] in _BODY_MAY_BE_MISSING
            assert lenient, f"{method} {path}: the contract asks for a body"

    def check_client(self, method: str, path: str, query: str, body: bytes | None) -> None:
        """Raise AssertionError unless the contract has this request with all its properties.

        Servers ignore unknown properties, but a client must not send one to a server that has not announced it.
        """
        self.check_request(method, path, query, body)
        if body:
            where, _, operation = self._operation(method, path)
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            self._check_properties(schema, _parsed(body, f"{method} {path}"), f"{method} {where}")

    def _check_properties(self, schema: Json, value: Any, title: str) -> None:  # noqa: ANN401 - what JSON holds
        schema = self._resolved(schema)
        if isinstance(value, dict) and "properties" in schema:
            for name, inner in value.items():
                assert name in schema["properties"], f"{title}: the contract has no property {name!r}"
                self._check_properties(schema["properties"][name], inner, f"{title} {name}")
        elif isinstance(value, list) and "items" in schema:
            for inner in value:
                self._check_properties(schema["items"], inner, title)

    def check_response(self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Raise AssertionError unless the contract has this answer."""
        title = f"answer {status} to {method} {path}"
        media = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
        if status in _EXTRA_STATUSES:
            assert media.startswith("application/json"), f"{title}: is {media or 'of no type'}, not JSON"
            self._check("/components/schemas/ErrorCollection", _parsed(body, title), title)
            return
        where, _, operation = self._operation(method, path)
        assert str(status) in operation["responses"], f"{title}: the contract has no such status"
        pointer = f"{_operation_pointer(where, method)}/responses/{status}"
        answer = operation["responses"][str(status)]
        if "$ref" in answer:
            pointer, answer = answer["$ref"].removeprefix("#"), self._resolved(answer)
        if "content" not in answer:
            assert not body, f"{title}: has a body"
            return
        assert media.startswith("application/json"), f"{title}: is {media or 'of no type'}, not JSON"
        self._check(f"{pointer}/content/application~1json/schema", _parsed(body, title), title)

    def wsgi(self, application: Application, note: Note = lambda *_: None) -> Application:
        """Return the application, with each request and answer checked and noted; a violation is raised, too.

        A request counts only when it was answered with success: what a server refuses may be wrong.
        """

        def _checked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(sent)
            started: list[tuple[str, list[tuple[str, str]]]] = []

            def _start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
                del exc_info
                started.append((status, headers))
                return start_response(status, headers)

            body = b"".join(application(environ, _start))
            status, headers = int(started[-1][0].split()[0]), dict(started[-1][1])
            request = (environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""), sent)
            self._record(request, (status, headers, body))
            note(environ, sent, status, body)
            return [body]

        return _checked

    def _record(
        self, request: tuple[str, str, str, bytes | None], answer: tuple[int, Mapping[str, str], bytes]
    ) -> None:
        method, path, _, _ = request
        if _OUTSIDE.fullmatch(path):
            return
        try:
            if 200 <= answer[0] < 300:
                self.check_request(*request, body_may_be_missing=True)
            self.check_response(method, path, *answer)
        except AssertionError as violation:
            self.violations.append(str(violation))
            raise

    def _operation(self, method: str, path: str) -> tuple[str, dict[str, str], Json]:
        for pattern, where in self._paths:
            match = pattern.fullmatch(path)
            if match is not None:
                item = self._document["paths"][where]
                assert method.lower() in item, f"{method} {path}: the contract has no such method here"
                return where, match.groupdict(), item[method.lower()]
        raise AssertionError(f"{method} {path}: the contract has no such path")

    def _parameters(self, where: str, operation: Json) -> Iterator[Json]:
        yield from self._document["paths"][where].get("parameters", ())
        yield from operation.get("parameters", ())

    def _check_parameter(self, parameter: Json, text: str, title: str) -> None:
        schema = self._resolved(parameter["schema"])
        value: object = text
        if schema["type"] == "integer" and re.fullmatch("-?[0-9]+", text):
            value = int(text)
        elif schema["type"] == "array":
            value = text.split(",") if text else []
        validator = OAS31Validator(schema, format_checker=oas31_format_checker)
        errors = [error.message for error in validator.iter_errors(value)]
        assert not errors, f"{title}: parameter {parameter['name']}={text!r}: {errors[0]}"

    def _check(self, pointer: str, value: object, title: str) -> None:
        errors = [
            f"{'.'.join(map(str, error.absolute_path)) or 'the body'}: {error.message[:300]}"
            for error in _validator(pointer).iter_errors(value)
        ]
        assert not errors, f"{title}: " + "; ".join(errors[:5])

    def _resolved(self, value: Json) -> Json:
        while "$ref" in value:
            target: Any = self._document
            for name in value["$ref"].removeprefix("#/").split("/"):
                target = target[name.replace("~1", "/").replace("~0", "~")]
            value = target
        return value


def _operation_pointer(where: str, method: str) -> str:
    name = where.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
    return f"/paths/{name}/{method.lower()}"


def _parsed(body: bytes, title: str) -> object:
    try:
        return json.loads(body)
    except ValueError as error:
        raise AssertionError(f"{title}: is no JSON ({error})") from error
