"""All that the author of a block imports.

A block is a class: who it is, its pins, what running it twice would do, worked examples, and
`run`. Templates of people's text stand apart, in `backend.sdk.templates`, because their engine is
large and most blocks need none.
"""

from backend.core.block import (
    BlockSpec,
    BlockType,
    Category,
    Effect,
    EffectRule,
    Place,
    WebhookConfig,
)
from backend.core.credentials import (
    ApiKeyCredentials,
    Credentials,
    CredentialsKind,
    HostScopedCredentials,
    OAuth2Credentials,
    Secret,
    UserPasswordCredentials,
)
from backend.core.errors import (
    AgentServerError,
    BadRequest,
    BlockError,
    BlockExecutionError,
    BlockInputError,
    BlockOutputError,
    BlockUnknownError,
    ConversionFailed,
    TooLarge,
)
from backend.core.json import Json, JsonObject, NotJson
from backend.core.json import loads as read_json
from backend.core.json import text as json_text
from backend.core.schema import to_boolean, to_dict, to_list, to_number, to_string
from backend.ports.web import Body, FormBody, JsonBody, WebClient, WebFile, WebResponse
from backend.sdk.block import SMALL_INPUTS, Block, Example
from backend.sdk.context import BlockContext, Runs
from backend.sdk.describe import spec_of
from backend.sdk.pins import credentials_pin, pin, pins
from backend.sdk.run import accept, failure_of, make_inputs

__all__ = [
    "SMALL_INPUTS",
    "AgentServerError",
    "ApiKeyCredentials",
    "BadRequest",
    "Block",
    "BlockContext",
    "BlockError",
    "BlockExecutionError",
    "BlockInputError",
    "BlockOutputError",
    "BlockSpec",
    "BlockType",
    "BlockUnknownError",
    "Body",
    "Category",
    "ConversionFailed",
    "Credentials",
    "CredentialsKind",
    "Effect",
    "EffectRule",
    "Example",
    "FormBody",
    "HostScopedCredentials",
    "Json",
    "JsonBody",
    "JsonObject",
    "NotJson",
    "OAuth2Credentials",
    "Place",
    "Runs",
    "Secret",
    "TooLarge",
    "UserPasswordCredentials",
    "WebClient",
    "WebFile",
    "WebResponse",
    "WebhookConfig",
    "accept",
    "credentials_pin",
    "failure_of",
    "json_text",
    "make_inputs",
    "pin",
    "pins",
    "read_json",
    "spec_of",
    "to_boolean",
    "to_dict",
    "to_list",
    "to_number",
    "to_string",
]
