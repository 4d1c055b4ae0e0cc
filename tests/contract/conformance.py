"""Holds every answer that a contract test gets against what the contract says of it."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx2
import jsonschema_rs

_HERE: Final = Path(__file__).parent
FACTS: Final[dict[str, Any]] = json.loads((_HERE / "shapes.json").read_text("utf-8"))
OPERATIONS: Final[dict[str, dict[str, Any]]] = {
    one["id"]: one for one in json.loads((_HERE / "operations.json").read_text("utf-8"))
}
#: Where the contract itself may lie; its schemas hold then besides our facts.
CONTRACT: Final = _HERE.parents[2] / "shared" / "spec" / "openapi.json"
#: Where the contract's own documentation is wrong about what is answered.
STATUSES: Final = {"deleteV2Delete library agent": "204"}
#: Failures that have a form of their own.
OTHER_FORMS: Final = {("getHealthHealth", 503)}
#: What errors of every operation look like, whatever the contract says of them.
_ERROR: Final = jsonschema_rs.validator_for({"type": "object", "required": ["detail"]})


class Conformance:
    """
    Judges answers.

    Attributes:
        seen: How often each operation succeeded.
    """

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def judge(self, method: str, path: str, response: httpx2.Response) -> None:
        """Raise AssertionError with a sentence if an answer is not what the contract says."""
        name = operation_at(method, path)
        if name is None:
            return
        status = response.status_code
        if 300 <= status < 400 or (name, status) in OTHER_FORMS:
            return
        if status >= 400:
            problem = _problem(_ERROR, response)
            assert not problem, f"{name} answered {status}, without the contract's form: {problem}"
            return
        known = (STATUSES[name],) if name in STATUSES else OPERATIONS[name]["statuses"]
        assert str(status) in known, f"{name} answered {status}"
        self.seen[name] += 1
        if status == 204:
            assert response.content == b"", f"{name} answered 204 with a body"
            return
        if response.headers.get("content-type", "").startswith("application/json"):
            for validator in _validators(name):
                problem = _problem(validator, response)
                assert not problem, f"{name} does not answer in the contract's shape: {problem}"


class JudgedTransport(httpx2.ASGITransport):
    """Hands requests to an application, and every answer to the judge first."""

    def __init__(self, app: Any, conformance: Conformance) -> None:
        super().__init__(app=app)
        self._conformance = conformance

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.AsyncBaseTransport`."""
        response = await super().handle_async_request(request)
        await response.aread()
        self._conformance.judge(request.method, request.url.path, response)
        return response


def operation_at(method: str, path: str) -> str | None:
    """Return the operation of the contract that a request asks for."""
    parts = path.split("/")
    for name, known in _by_length().get((method, len(parts)), ()):
        if all(one and ours in ("", one) for ours, one in zip(known[1:], parts[1:], strict=True)):
            return name
    return None


@cache
def _by_length() -> dict[tuple[str, int], list[tuple[str, list[str]]]]:
    """Return operations by method and number of steps, those with fewer parameters first."""
    found: dict[tuple[str, int], list[tuple[str, list[str]]]] = {}
    for name, one in OPERATIONS.items():
        steps = ["" if step.startswith("{") else step for step in one["path"].split("/")[1:]]
        found.setdefault((one["method"], len(steps) + 1), []).append((name, ["", *steps]))
    for known in found.values():
        known.sort(key=lambda one: one[1].count(""))
    return found


def _problem(validator: Any, response: httpx2.Response) -> str:
    try:
        value = json.loads(response.content)
    except ValueError as exc:
        return f"it is no JSON ({exc})"
    error = next(validator.iter_errors(value), None)
    if error is None:
        return ""
    where = "/".join(map(str, error.instance_path)) or "the answer"
    return f"{where}: {str(error.message)[:500]}"


@cache
def _validators(name: str) -> list[Any]:
    """Return what holds of the answers of an operation: the facts, and the contract if it is here."""
    schema = {
        **_schema(FACTS["answers"][name]),
        "$defs": {one: _schema(fact) for one, fact in FACTS["types"].items()},
    }
    written = _written_schema(name)
    return [
        jsonschema_rs.validator_for(one, validate_formats=True)
        for one in (schema, *([] if written is None else [written]))
    ]


@cache
def _contract() -> dict[str, Any] | None:
    """Return the contract's own document, where it lies beside this project."""
    if not CONTRACT.exists():
        return None
    found: dict[str, Any] = json.loads(CONTRACT.read_text("utf-8"))
    return found


def _written_schema(name: str) -> dict[str, Any] | None:
    contract = _contract()
    if contract is None:
        return None
    known = OPERATIONS[name]
    responses = contract["paths"][known["path"]][known["method"].lower()]["responses"]
    success = next(responses[status] for status in responses if status.startswith("2"))
    schema = success.get("content", {}).get("application/json", {}).get("schema", {})
    return {**schema, "components": contract["components"]}


def _schema(fact: Any) -> dict[str, Any]:
    """Return the JSON Schema of a compact fact; see `write_shapes`."""
    if isinstance(fact, list):
        return {"anyOf": [_schema(one) for one in fact]}
    if isinstance(fact, str):
        if fact.startswith("@"):
            return {"$ref": f"#/$defs/{fact[1:]}"}
        words: dict[str, dict[str, Any]] = {
            "any": {},
            "time": {"type": "string", "format": "date-time"},
        }
        return words.get(fact, {"type": fact})
    [(kind, inner)] = fact.items()
    match kind:
        case "[]":
            return {"type": "array", "items": _schema(inner)}
        case "{}":
            return {"type": "object", "additionalProperties": _schema(inner)}
        case "=":
            return {"enum": inner}
    return {
        "type": "object",
        "properties": {name.removesuffix("?"): _schema(one) for name, one in inner.items()},
        "required": [name for name in inner if not name.endswith("?")],
    }
