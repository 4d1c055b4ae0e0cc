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
    ModelLimited,
    NotConfigured,
    NotFound,
    ServiceLimited,
    TooLarge,
    UnknownOutcome,
    WebClientError,
    WebFailed,
    WebServerError,
)
from backend.core.ids import UserId
from backend.core.json import Json, JsonObject, NotJson
from backend.core.json import loads as read_json
from backend.core.json import text as json_text
from backend.core.models import (
    Finish,
    Message,
    ModelAnswer,
    ModelRequest,
    ModelSpec,
    Role,
    Source,
    Thinking,
    Tokens,
    Tool,
    ToolCall,
    ToolChoice,
)
from backend.core.schema import ValueSchema, to_boolean, to_dict, to_list, to_number, to_string
from backend.core.tokens import PER_MESSAGE, estimated_tokens, first_tokens, last_tokens
from backend.core.tool_sign_ins import is_below
from backend.ports.mcp import ServerTool, ToolOutcome, ToolServer
from backend.ports.sandbox import CodeOutcome, CodeStep
from backend.ports.web import (
    Body,
    FormBody,
    JsonBody,
    RawBody,
    WebClient,
    WebFile,
    WebLimits,
    WebResponse,
)
from backend.sdk.block import SMALL_INPUTS, Block, Example
from backend.sdk.chat import ChatDesk, Said
from backend.sdk.context import BlockContext, Models, Runs
from backend.sdk.describe import spec_of
from backend.sdk.pins import credentials_pin, pin, pins
from backend.sdk.run import accept, failure_of, make_inputs
from backend.sdk.tools import DecisionBounds, ToolNode, ToolPin, ToolResult, Tools

__all__ = [
    "PER_MESSAGE",
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
    "ChatDesk",
    "CodeOutcome",
    "CodeStep",
    "ConversionFailed",
    "Credentials",
    "CredentialsKind",
    "DecisionBounds",
    "Effect",
    "EffectRule",
    "Example",
    "Finish",
    "FormBody",
    "HostScopedCredentials",
    "Json",
    "JsonBody",
    "JsonObject",
    "Message",
    "ModelAnswer",
    "ModelLimited",
    "ModelRequest",
    "ModelSpec",
    "Models",
    "NotConfigured",
    "NotFound",
    "NotJson",
    "OAuth2Credentials",
    "Place",
    "RawBody",
    "Role",
    "Runs",
    "Said",
    "Secret",
    "ServerTool",
    "ServiceLimited",
    "Source",
    "Thinking",
    "Tokens",
    "TooLarge",
    "Tool",
    "ToolCall",
    "ToolChoice",
    "ToolNode",
    "ToolOutcome",
    "ToolPin",
    "ToolResult",
    "ToolServer",
    "Tools",
    "UnknownOutcome",
    "UserId",
    "UserPasswordCredentials",
    "ValueSchema",
    "WebClient",
    "WebClientError",
    "WebFailed",
    "WebFile",
    "WebLimits",
    "WebResponse",
    "WebServerError",
    "WebhookConfig",
    "accept",
    "credentials_pin",
    "estimated_tokens",
    "failure_of",
    "first_tokens",
    "is_below",
    "json_text",
    "last_tokens",
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
