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
from backend.sdk.pins import pin, pins
from backend.sdk.run import accept, failure_of, make_inputs

__all__ = [
    "SMALL_INPUTS",
    "AgentServerError",
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
    "Effect",
    "EffectRule",
    "Example",
    "FormBody",
    "Json",
    "JsonBody",
    "JsonObject",
    "NotJson",
    "Place",
    "Runs",
    "TooLarge",
    "WebClient",
    "WebFile",
    "WebResponse",
    "WebhookConfig",
    "accept",
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
