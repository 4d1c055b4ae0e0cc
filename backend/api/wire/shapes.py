"""The answers as OpenAPI shows them. Nothing is written by these: plain functions are faster.

The contract tests read every answer with them, which holds both together. Imported only when
somebody asks for the documentation.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from backend.api.wire.credentials import CredentialsMetaInput
from backend.api.wire.graphs import GraphSettings, Link, Node
from backend.core.graph_repair import RepairKind
from backend.core.reviews import ReviewStatus
from backend.core.status import Status as AgentExecutionStatus

Values = dict[str, Any]
Data = Values | list[Any] | str | int | float | bool | None
Credentials = dict[str, CredentialsMetaInput]


class Stats(BaseModel):
    """What a run used: cents and seconds."""

    model_config = ConfigDict(extra="allow")

    cost: int = 0
    duration: float = 0
    duration_cpu_only: float = 0
    node_exec_time: float = 0
    node_exec_time_cpu_only: float = 0
    node_exec_count: int = 0
    node_error_count: int = 0
    error: str | None = None
    activity_status: str | None = None
    correctness_score: float | None = None


class GraphExecutionMeta(BaseModel):
    """A run without its outputs."""

    id: str
    user_id: str
    graph_id: str
    graph_version: int
    inputs: Values | None
    credential_inputs: Credentials | None
    nodes_input_masks: dict[str, Values] | None
    preset_id: str | None
    status: AgentExecutionStatus
    started_at: datetime | None = None
    ended_at: datetime | None = None
    is_shared: bool = False
    share_token: str | None = None
    stats: Stats | None


class GraphExecution(GraphExecutionMeta):
    """A run with its outputs."""

    inputs: Values
    outputs: dict[str, list[Any]]


class NodeExecutionResult(BaseModel):
    """One execution of a node."""

    user_id: str
    graph_id: str
    graph_version: int
    graph_exec_id: str
    node_exec_id: str
    node_id: str
    block_id: str
    status: AgentExecutionStatus
    input_data: Values
    output_data: dict[str, list[Any]]
    add_time: datetime
    queue_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None


class GraphExecutionWithNodes(GraphExecution):
    """A run with its outputs and its node executions."""

    node_executions: list[NodeExecutionResult]


class Pagination(BaseModel):
    """Which page of how many this is."""

    total_items: int
    total_pages: int
    current_page: int
    page_size: int


class GraphExecutionsPaginated(BaseModel):
    """A page of runs."""

    executions: list[GraphExecutionMeta]
    pagination: Pagination


ReadOnly = Field(json_schema_extra={"readOnly": True})


class GraphTriggerInfo(BaseModel):
    """What is needed to set up a graph's trigger."""

    provider: str
    config_schema: Values
    credentials_input_name: str | None


class Webhook(BaseModel):
    """A webhook that a node listens to."""

    id: str = ""
    user_id: str
    provider: str
    credentials_id: str
    webhook_type: str
    resource: str
    events: list[str]
    config: Values = Field(default_factory=dict)
    secret: str
    provider_webhook_id: str
    url: Annotated[str, ReadOnly]


class _GraphFacts(BaseModel):
    id: str = ""
    version: int = 1
    is_active: bool = True
    name: str
    description: str
    instructions: str | None = None
    recommended_schedule_cron: str | None = None
    forked_from_id: str | None = None
    forked_from_version: int | None = None
    input_schema: Annotated[Values, ReadOnly]
    output_schema: Annotated[Values, ReadOnly]
    has_external_trigger: Annotated[bool, ReadOnly]
    has_human_in_the_loop: Annotated[bool, ReadOnly]
    has_sensitive_action: Annotated[bool, ReadOnly]
    trigger_setup_info: Annotated[GraphTriggerInfo | None, ReadOnly]


class BaseGraphOutput(_GraphFacts):
    """A graph that another graph runs."""

    nodes: list[Node] = Field(default_factory=list)
    links: list[Link] = Field(default_factory=list)


class GraphMeta(_GraphFacts):
    """A graph without its nodes and links."""

    sub_graphs: list[BaseGraphOutput] = Field(default_factory=list)
    user_id: str
    credentials_input_schema: Annotated[Values, ReadOnly]


class NodeModel(Node):
    """A node of a saved graph."""

    graph_id: str
    graph_version: int
    webhook_id: str | None = None
    webhook: Webhook | None = None


class GraphModel(GraphMeta):
    """A graph with all its parts."""

    nodes: list[NodeModel] = Field(default_factory=list)
    links: list[Link] = Field(default_factory=list)
    created_at: datetime


class RepairModel(BaseModel):
    """One thing that was mended at a node."""

    kind: RepairKind
    text: str


class ImportReport(BaseModel):
    """What was mended in a graph that was made for an earlier server, by node."""

    nodes: dict[str, list[RepairModel]]


class CreatedGraph(GraphModel):
    """A new graph, and what was mended in it."""

    import_report: ImportReport | None = None


class DeleteGraphResponse(BaseModel):
    """How many versions are gone."""

    version_counts: int


class TimezoneResponse(BaseModel):
    """The time zone of an account, or the word "not-set"."""

    timezone: str


class PendingHumanReviewModel(BaseModel):
    """A question to a person."""

    node_exec_id: str
    node_id: str = ""
    user_id: str
    graph_exec_id: str
    graph_id: str
    graph_version: int
    payload: Data
    instructions: str | None = None
    editable: bool
    status: ReviewStatus
    review_message: str | None = None
    was_edited: bool | None = None
    processed: bool = False
    created_at: datetime
    updated_at: datetime | None = None
    reviewed_at: datetime | None = None


class ReviewResponse(BaseModel):
    """How many decisions were saved."""

    approved_count: int
    rejected_count: int
    failed_count: int
    error: str | None = None


class UploadFileResponse(BaseModel):
    """A file that was kept."""

    file_uri: str
    file_name: str
    size: int
    content_type: str
    expires_in_hours: int


class LibraryAgentPreset(BaseModel):
    """A graph with inputs, and the webhook that starts it."""

    graph_id: str
    graph_version: int
    inputs: Values
    credentials: Credentials
    name: str
    description: str
    is_active: bool = True
    webhook_id: str | None = None
    id: str
    user_id: str
    created_at: datetime
    updated_at: datetime
    webhook: Webhook | None


class LibraryAgentPresetResponse(BaseModel):
    """A page of presets."""

    presets: list[LibraryAgentPreset]
    pagination: Pagination


class AuditEntry(BaseModel):
    """A row of the audit log."""

    seq: int
    at: datetime
    who: str
    by: str
    by_id: str
    acting_for: str
    address: str
    request_id: str
    verb: str
    kind: str
    object_id: str
    outcome: str
    facts: dict[str, str | int | bool | None]
    hash: str


class AuditEntries(BaseModel):
    """A page of the audit log; *next_before* is null on the last."""

    entries: list[AuditEntry]
    next_before: int | None


#: What is answered, by operation.
ANSWERS: dict[str, Any] = {
    "postV1Get or create user": Any,
    "getV1Get user timezone": TimezoneResponse,
    "postV1Update user timezone": TimezoneResponse,
    "getV1List available blocks": list[Values],
    "postV1Execute graph block": dict[str, list[Any]],
    "getV1List user graphs": list[GraphMeta],
    "postV1Create new graph": CreatedGraph,
    "getV1Get specific graph": GraphModel,
    "putV1Update graph version": GraphModel,
    "deleteV1Delete graph permanently": DeleteGraphResponse,
    "getV1Get all graph versions": list[GraphModel],
    "putV1Set active graph version": Any,
    "getV1Get graph version": GraphModel,
    "postV1Execute graph agent": GraphExecutionMeta,
    "postV1Execute active graph agent": GraphExecutionMeta,
    "getV1Get execution details": GraphExecution | GraphExecutionWithNodes,
    "postV1Stop graph execution": GraphExecutionMeta | None,
    "postV1Retry parked graph execution": GraphExecutionMeta,
    "getV1List graph executions": GraphExecutionsPaginated,
    "getV1List all executions": list[GraphExecutionMeta],
    "deleteV1Delete execution schedule": Values,
    "patchV1Update graph settings": GraphSettings,
    "getV2Get pending reviews": list[PendingHumanReviewModel],
    "getV2Get pending reviews for execution": list[PendingHumanReviewModel],
    "postV2ProcessReviewAction": ReviewResponse,
    "postV1Upload file to cloud storage": UploadFileResponse,
    "getV2List presets": LibraryAgentPresetResponse,
    "postV2Create a new preset": LibraryAgentPreset,
    "postV2SetupTrigger": LibraryAgentPreset,
    "getV2Get a specific preset": LibraryAgentPreset,
    "patchV2Update an existing preset": LibraryAgentPreset,
    "postV2Execute a preset": GraphExecutionMeta,
    "postV1WebhookIngressGeneric": Any,
    "postV1WebhookPing": Any,
    "getHealthHealth": Any,
    "getV1List audit log": AuditEntries,
}
