"""What OpenAPI says of the external API. Imported only when somebody asks for it."""

from typing import Any, Final, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from backend.core.credentials import CredentialsKind
from backend.core.permissions import Permission
from backend.core.status import Status

_COMPONENTS: Final = "#/components/schemas/"
_SECURITY: Final = {
    "APIKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "AccessToken": {"type": "http", "scheme": "bearer"},
}
_IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and request answer the run that they started before.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

Values = dict[str, Any]


class UserInfo(BaseModel):
    """A user."""

    id: str
    name: str | None
    email: str
    timezone: str


class StartedRun(BaseModel):
    """A run that was started."""

    id: str


class NodeResult(BaseModel):
    """What one node was given and gave."""

    node_id: str
    input: Values
    output: dict[str, list[Any]]


class RunResults(BaseModel):
    """A run; *output* is null until it is completed."""

    execution_id: str
    status: Status
    nodes: list[NodeResult]
    output: list[Values] | None


class Provider(BaseModel):
    """Somebody with whom this server signs in for a user, and how."""

    name: str
    supports_oauth: bool
    supports_api_key: bool
    supports_user_password: bool
    supports_host_scoped: bool
    default_scopes: list[str]


class ListedCredentials(BaseModel):
    """Credentials, without what is secret in them."""

    id: str
    provider: str
    type: CredentialsKind
    title: str | None
    scopes: list[str] | None
    username: str | None
    host: str | None


class CreatedCredentials(BaseModel):
    """Credentials that are kept now."""

    id: str
    provider: str
    type: CredentialsKind
    title: str | None


class DeletedCredentials(BaseModel):
    """Credentials that are gone."""

    deleted: Literal[True]
    credentials_id: str


class Problem(BaseModel):
    """Why a request failed; a list of fields when it does not fit what is expected."""

    detail: str | list[Values]


#: By operation; tests read every answer with these.
ANSWERS: Final[dict[str, Any]] = {
    "get_me": UserInfo,
    "list_blocks": list[Values],
    "execute_block": dict[str, list[Any]],
    "execute_graph": StartedRun,
    "get_results": RunResults,
    "list_providers": list[Provider],
    "list_credentials": list[ListedCredentials],
    "list_credentials_of_provider": list[ListedCredentials],
    "create_credentials": CreatedCredentials,
    "delete_credentials": DeletedCredentials,
}
_FAILURES: Final = {
    "400": "Cannot be used",
    "401": "Not signed in",
    "403": "Not allowed",
    "404": "Not found",
    "422": "Validation error",
    "429": "Too often",
}


def document(app: FastAPI) -> Values:
    """Return the OpenAPI document of *app*."""
    found: Values = get_openapi(
        title=app.title,
        version=app.version,
        description=f"Permissions: {', '.join(Permission)}.",
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    found["servers"] = [{"url": "/external-api"}]
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    answers = _answers(schemas)
    for methods in found["paths"].values():
        for operation in methods.values():
            _complete(operation, answers)
    found["components"]["securitySchemes"] = _SECURITY
    return found


def _answers(schemas: Values) -> dict[str, Any]:
    """Add the models of answers to *schemas*; return the schema of each operation's answer."""
    kinds = {**ANSWERS, "": Problem}
    types: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (name, "serialization", TypeAdapter(kind)) for name, kind in kinds.items()
    ]
    made, definitions = TypeAdapter.json_schemas(types, ref_template=_COMPONENTS + "{model}")
    for name, schema in definitions.get("$defs", {}).items():
        schemas.setdefault(name, schema)
    return {name: schema for (name, _), schema in made.items()}


def _complete(operation: Values, answers: dict[str, Any]) -> None:
    name = operation["operationId"]
    responses = operation["responses"]
    success = next(status for status in responses if status.startswith("2"))
    responses[success] = {
        "description": "Successful Response",
        "content": {"application/json": {"schema": answers.get(name, {})}},
    }
    for status, words in _FAILURES.items():
        content = {"application/json": {"schema": answers[""]}}
        responses[status] = {"description": words, "content": content}
    operation["security"] = [{scheme: []} for scheme in _SECURITY]
    if name == "execute_graph":
        operation.setdefault("parameters", []).append(_IDEMPOTENCY)
