"""What OpenAPI says of the routes: ids, shapes and component names as clients know them."""

import json
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from backend.api.routes.files import UPLOAD
from backend.api.routes.oauth import LOGO_UPLOAD
from backend.api.wire.answers import ANSWERS
from backend.api.wire.executions import ExecuteBody
from backend.api.wire.users import timezone_schema

_COMPONENTS: Final = "#/components/schemas/"
_SCHEME: Final = "HTTPBearerJWT"
_UPLOAD_BODY: Final = "Body_postV1Upload_file_to_cloud_storage"
_LOGO_BODY: Final = "Body_postOauthUploadAppLogo"
_UNAUTHENTICATED: Final = "HTTP401NotAuthenticatedError"

#: Ours, then the contract's.
_NAMES: Final = {
    "BaseGraph": "BaseGraph-Input",
    "BaseGraphOutput": "BaseGraph-Output",
    "AddCreditsBody": "Body_postV2Add_credits_to_user",
    "ExecuteBody": "Body_postV1Execute_graph_agent",
    "ExecutePresetBody": "Body_postV2Execute_a_preset",
    "LibrarySort": "LibraryAgentSort",
    "LibraryStatus": "LibraryAgentStatus",
    "ExchangeBody": "Body_postV1Exchange_oauth_code_for_tokens",
    "HostScopedCredentialsInput": "HostScopedCredentials-Input",
    "HostScopedCredentialsOutput": "HostScopedCredentials-Output",
    "TransactionType": "CreditTransactionType",
    "Status": "AgentExecutionStatus",
    "ApiKeyStatus": "APIKeyStatus",
    "Permission": "APIKeyPermission",
    "IntrospectBody": "Body_postOauthIntrospect",
    "RevokeBody": "Body_postOauthRevoke",
    "StatusBody": "Body_patchOauthUpdateAppStatus",
}

#: Answers that the contract tells of, beside those that every operation has.
_ALSO: Final = {
    "getV2Get pending reviews": ("500",),
    "getV2Get pending reviews for execution": ("404", "500"),
    "getOauthGetOauthAppInfo": ("404",),
}

#: What needs no token.
_OPEN: Final = frozenset(
    {
        "postV1WebhookIngressGeneric",
        "getV1GetSharedExecution",
        "postV1One click email unsubscribe",
        "getV1ListProviders",
        "getV1GetProviderNames",
        "getV1GetProviderConstants",
        "getV1GetProviderEnumExample",
        "getV1ListSystemProviders",
        "postOauthToken",
        "postOauthIntrospect",
        "postOauthRevoke",
        "postV1Log in",
        "postV1Refresh session",
        "postV1Forget password",
        "postV1Reset password",
        "postV1Confirm user email",
        "getV1Sign in at provider",
        "getV1Come back from provider",
    }
)

#: What is not answered as JSON, though the contract says "any": in which type, and of what form.
_NOT_JSON: Final = {
    "getWorkspaceDownload file by id": ("*/*", {"type": "string", "format": "binary"}),
    "postV2StreamChatPost": ("text/event-stream", {}),
}

_NULLABLE_INTEGER: Final = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
_NULLABLE_STRING: Final = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of *app*."""
    found: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, routes=app.routes, separate_input_output_schemas=False
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    answers = _answers(schemas)
    for path, methods in found["paths"].items():
        for operation in methods.values():
            _complete(path, operation, answers.get(operation["operationId"], {}))
    schemas.setdefault("UpdateTimezoneRequest", {}).setdefault("properties", {})["timezone"] = (
        timezone_schema()
    )
    schemas["TimezoneResponse"]["properties"]["timezone"] = {
        "anyOf": [timezone_schema(), {"type": "string"}]
    }
    for form in (_UPLOAD_BODY, _LOGO_BODY):
        schemas[form] = {
            "type": "object",
            "properties": {"file": {"type": "string", "format": "binary"}},
            "required": ["file"],
        }
    found["components"]["securitySchemes"] = {
        _SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "jwt"}
    }
    found["components"]["responses"] = {_UNAUTHENTICATED: _unauthenticated()}
    return _renamed(found)


def _answers(schemas: dict[str, Any]) -> dict[str, Any]:
    """Add the models of answers to *schemas*; return the schema of each operation's answer."""
    kinds = {**ANSWERS, "": ExecuteBody}
    types: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (name, "validation", TypeAdapter(kind)) for name, kind in kinds.items()
    ]
    made, definitions = TypeAdapter.json_schemas(types, ref_template=_COMPONENTS + "{model}")
    for name, schema in definitions.get("$defs", {}).items():
        schemas.setdefault(name, schema)
    return {name: schema for (name, _), schema in made.items()}


def _complete(path: str, operation: dict[str, Any], schema: dict[str, Any]) -> None:
    responses = operation["responses"]
    success = next(status for status in responses if status.startswith("2"))
    responses[success] = {"description": "Successful Response"}
    if success != "204":
        responses[success]["content"] = {"application/json": {"schema": schema}}
    if (other := _NOT_JSON.get(operation["operationId"])) is not None:
        responses[success]["content"][other[0]] = {"schema": other[1]}
    if "/execute" in path and path.startswith("/api/graphs"):
        _document_execute(path, operation)
    if path == UPLOAD:
        _document_upload(operation)
    if path == LOGO_UPLOAD:
        operation["parameters"] = [_parameter("app_id", "path", {"type": "string"}, required=True)]
        _document_form(operation, _LOGO_BODY)
    for status in _ALSO.get(operation["operationId"], ()):
        responses[status] = {"description": "Not Found" if status == "404" else "Server error"}
    if path.startswith("/api") and operation["operationId"] not in _OPEN:
        operation["security"] = [{_SCHEME: []}]
        responses["401"] = {"$ref": f"#/components/responses/{_UNAUTHENTICATED}"}


def _document_execute(path: str, operation: dict[str, Any]) -> None:
    """Say what the routes take that read their request by themselves."""
    parameters = [_parameter("graph_id", "path", {"type": "string"}, required=True)]
    if "{graph_version}" in path:
        parameters.append(_parameter("graph_version", "path", _NULLABLE_INTEGER, required=True))
    parameters.append(_parameter("preset_id", "query", _NULLABLE_STRING, required=False))
    operation["parameters"] = parameters
    body = {"$ref": f"{_COMPONENTS}ExecuteBody"}
    operation["requestBody"] = {"content": {"application/json": {"schema": body}}}
    operation["responses"]["422"] = _invalid()


def _document_upload(operation: dict[str, Any]) -> None:
    hours = {"type": "integer", "default": 24}
    operation["parameters"] = [
        _parameter("provider", "query", {"type": "string", "default": "gcs"}, required=False),
        _parameter("expiration_hours", "query", hours, required=False),
    ]
    _document_form(operation, _UPLOAD_BODY)


def _document_form(operation: dict[str, Any], body: str) -> None:
    form = {"$ref": f"{_COMPONENTS}{body}"}
    operation["requestBody"] = {
        "required": True,
        "content": {"multipart/form-data": {"schema": form}},
    }
    operation["responses"]["422"] = _invalid()


def _invalid() -> dict[str, Any]:
    schema = {"$ref": f"{_COMPONENTS}HTTPValidationError"}
    return {
        "description": "Validation Error",
        "content": {"application/json": {"schema": schema}},
    }


def _parameter(name: str, place: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": schema}


def _unauthenticated() -> dict[str, Any]:
    detail = {"type": "object", "properties": {"detail": {"type": "string"}}}
    return {
        "description": "Authentication required",
        "content": {"application/json": {"schema": {**detail, "required": ["detail"]}}},
    }


def _renamed(found: dict[str, Any]) -> dict[str, Any]:
    """Give the components their names in the contract."""
    schemas = found["components"]["schemas"]
    found["components"]["schemas"] = {
        _NAMES.get(name, name): schema for name, schema in sorted(schemas.items())
    }
    text = json.dumps(found)
    for ours, theirs in _NAMES.items():
        text = text.replace(f'"{_COMPONENTS}{ours}"', f'"{_COMPONENTS}{theirs}"')
    renamed: dict[str, Any] = json.loads(text)
    return renamed
