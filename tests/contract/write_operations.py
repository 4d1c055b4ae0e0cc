"""Writes operations.json: what the contract says of each REST operation, in our own short form.

Run once for a new contract: ``python tests/contract/write_operations.py openapi.json``. A line an
operation: method, path, id, statuses, parameters, the fields that a body must have and those that
an answer must have.
"""

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("operations.json")
METHODS = ("get", "post", "put", "patch", "delete")


def operations(contract: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the operations of an OpenAPI document, by path and method."""
    schemas = contract["components"]["schemas"]
    return [
        operation(method, path, methods[method], schemas)
        for path, methods in sorted(contract["paths"].items())
        for method in METHODS
        if method in methods
    ]


def operation(
    method: str, path: str, said: dict[str, Any], schemas: dict[str, Any]
) -> dict[str, Any]:
    """Return what *said* says, in short."""
    parameters = said.get("parameters", [])
    success = next(status for status in said["responses"] if status.startswith("2"))
    return {
        "method": method.upper(),
        "path": path,
        "id": said["operationId"],
        "statuses": sorted(said["responses"]),
        "path_parameters": [one["name"] for one in parameters if one["in"] == "path"],
        "query": {one["name"]: one["required"] for one in parameters if one["in"] == "query"},
        "token": bool(said.get("security")),
        "body": _body(said, schemas),
        "answer": _shape(_json_schema(said["responses"][success]), schemas),
    }


def _body(said: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any] | None:
    body = said.get("requestBody")
    if body is None:
        return None
    kind = next(iter(body["content"]))
    shape = _shape(body["content"][kind].get("schema", {}), schemas)
    return {"type": kind, "needed": bool(body.get("required")), **shape}


def _json_schema(response: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = (
        response.get("content", {}).get("application/json", {}).get("schema", {})
    )
    return schema


def _shape(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the kind of a value, and the fields that it must have."""
    options = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if options:
        shapes = [_shape(option, schemas) for option in options]
        required = set.intersection(*(set(shape.get("required", ())) for shape in shapes))
        return {"kind": shapes[0]["kind"], "required": sorted(required)}
    if "$ref" in schema:
        return _shape(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    kind = schema.get("type", "any")
    if kind == "array":
        return {"kind": "array", "items": _shape(schema.get("items", {}), schemas)}
    if kind == "object":
        return {"kind": "object", "required": sorted(schema.get("required", ()))}
    return {"kind": kind}


def text(found: list[dict[str, Any]]) -> str:
    """Return *found* as JSON, an operation a line."""
    lines = ",\n".join(json.dumps(one, separators=(", ", ": ")) for one in found)
    return f"[\n{lines}\n]\n"


if __name__ == "__main__":
    TARGET.write_text(text(operations(json.loads(Path(sys.argv[1]).read_text("utf-8")))), "utf-8")
