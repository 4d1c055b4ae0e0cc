"""Answers about libraries and what is around them, as OpenAPI shows them; see shapes.py."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from backend.api.wire.graphs import GraphSettings
from backend.api.wire.preferences import NotificationType
from backend.api.wire.shapes import GraphTriggerInfo, Pagination, Values
from backend.core.credits import TransactionType as CreditTransactionType
from backend.core.library import LibraryStatus as LibraryAgentStatus
from backend.core.status import Status as AgentExecutionStatus
from backend.services.builder import SearchKind


class RecentExecution(BaseModel):
    """One of an agent's newest runs."""

    status: str
    correctness_score: float | None = None
    activity_summary: str | None = None


class MarketplaceListingCreator(BaseModel):
    """Who offers an agent."""

    name: str
    id: str
    slug: str


class MarketplaceListing(BaseModel):
    """Where an agent is offered."""

    id: str
    name: str
    slug: str
    creator: MarketplaceListingCreator


class LibraryAgent(BaseModel):
    """An agent of somebody's library."""

    id: str
    graph_id: str
    graph_version: int
    owner_user_id: str
    image_url: str | None
    creator_name: str
    creator_image_url: str
    status: LibraryAgentStatus
    created_at: datetime
    updated_at: datetime
    name: str
    description: str
    instructions: str | None = None
    input_schema: Values
    output_schema: Values
    credentials_input_schema: Values | None
    has_external_trigger: bool
    has_human_in_the_loop: bool
    has_sensitive_action: bool
    trigger_setup_info: GraphTriggerInfo | None = None
    new_output: bool
    execution_count: int = 0
    success_rate: float | None = None
    avg_correctness_score: float | None = None
    recent_executions: list[RecentExecution] = Field(default_factory=list)
    can_access_graph: bool
    is_latest_version: bool
    is_favorite: bool
    recommended_schedule_cron: str | None = None
    settings: GraphSettings = Field(default_factory=GraphSettings)
    marketplace_listing: MarketplaceListing | None = None


class LibraryAgentResponse(BaseModel):
    """A page of agents."""

    agents: list[LibraryAgent]
    pagination: Pagination


class BlockCost(BaseModel):
    """What running a block costs, and when."""

    cost_amount: int
    cost_filter: Values
    cost_type: Literal["run", "byte", "second"]


class BlockInfo(BaseModel):
    """A block of the menu."""

    id: str
    name: str
    inputSchema: Values  # noqa: N815 - its name on the wire
    outputSchema: Values  # noqa: N815 - the same
    costs: list[BlockCost]
    description: str
    categories: list[dict[str, str]]
    contributors: list[Values]
    staticOutput: bool  # noqa: N815 - the same
    uiType: str  # noqa: N815 - the same


class BlockResponse(BaseModel):
    """A page of blocks."""

    blocks: list[BlockInfo]
    pagination: Pagination


class BlockCategoryResponse(BaseModel):
    """A category with its first few blocks."""

    name: str
    total_blocks: int
    blocks: list[BlockInfo]


class CountResponse(BaseModel):
    """How much there is of everything."""

    all_blocks: int
    input_blocks: int
    action_blocks: int
    output_blocks: int
    integrations: int
    marketplace_agents: int
    my_agents: int


class Provider(BaseModel):
    """Somebody outside, and how many blocks work with them."""

    name: str
    description: str
    integration_count: int


class ProviderResponse(BaseModel):
    """A page of providers."""

    providers: list[Provider]
    pagination: Pagination


class SearchResponse(BaseModel):
    """A page of what a search found."""

    items: list[BlockInfo | LibraryAgent]
    search_id: str
    total_items: dict[SearchKind, int]
    pagination: Pagination


class SearchEntry(BaseModel):
    """A search of before."""

    search_query: str | None = None
    filter: list[SearchKind] | None = None
    by_creator: list[str] | None = None
    search_id: str | None = None


class SuggestionsResponse(BaseModel):
    """What the menu shows before anybody searches."""

    otto_suggestions: list[str]
    recent_searches: list[SearchEntry]
    providers: list[str]
    top_blocks: list[BlockInfo]


class UserTransaction(BaseModel):
    """What changed a balance."""

    transaction_key: str = ""
    transaction_time: datetime | None = None
    transaction_type: CreditTransactionType = CreditTransactionType.USAGE
    amount: int = 0
    running_balance: int = 0
    current_balance: int = 0
    description: str | None = None
    usage_graph_id: str | None = None
    usage_execution_id: str | None = None
    usage_node_count: int = 0
    usage_start_time: datetime | None = None
    user_id: str
    user_email: str | None = None
    reason: str | None = None
    admin_email: str | None = None
    extra_data: str | None = None


class TransactionHistory(BaseModel):
    """What changed a balance, and where to ask for more."""

    transactions: list[UserTransaction]
    next_transaction_time: datetime | None


class AddUserCreditsResponse(BaseModel):
    """What somebody has now."""

    new_balance: int
    transaction_key: str


class OnboardingStatusResponse(BaseModel):
    """What front ends lead new users through."""

    is_onboarding_enabled: bool
    is_chat_enabled: bool


class NotificationPreference(BaseModel):
    """What an account wants to be told."""

    user_id: str
    email: Annotated[str, Field(json_schema_extra={"format": "email"})]
    preferences: dict[NotificationType, bool] = Field(default_factory=dict)
    daily_limit: int = 10
    emails_sent_today: int = 0
    last_reset_date: datetime | None = None


class ShareResponse(BaseModel):
    """The link of a shared run."""

    share_url: str
    share_token: str


class SharedExecutionResponse(BaseModel):
    """What strangers see of a run."""

    id: str
    graph_name: str
    graph_description: str | None
    status: AgentExecutionStatus
    created_at: datetime
    outputs: dict[str, list[Any]]


#: What is answered, by operation.
ANSWERS: dict[str, Any] = {
    "getV2List library agents": LibraryAgentResponse,
    "getV2List favorite library agents": LibraryAgentResponse,
    "getV2GetLibraryAgentByGraphId": LibraryAgent,
    "getV2Get library agent": LibraryAgent,
    "patchV2Update library agent": LibraryAgent,
    "postV2Fork library agent": LibraryAgent,
    "getV2Get builder blocks": BlockResponse,
    "getV2Get specific blocks": list[BlockInfo],
    "getV2Get builder block categories": list[BlockCategoryResponse],
    "getV2Get builder item counts": CountResponse,
    "getV2Get builder integration providers": ProviderResponse,
    "getV2Builder search": SearchResponse,
    "getV2Get builder suggestions": SuggestionsResponse,
    "getV1Get notification preferences": NotificationPreference,
    "postV1Update notification preferences": NotificationPreference,
    "postV1Update user email": dict[str, str],
    "postV1One click email unsubscribe": Any,
    "getWorkspaceDownload file by id": Any,
    "getV1Get user credits": dict[str, int],
    "getV1Get credit history": TransactionHistory,
    "postV2Add credits to user": AddUserCreditsResponse,
    "getV1Is onboarding enabled": OnboardingStatusResponse,
    "postV1EnableExecutionSharing": ShareResponse,
    "getV1GetSharedExecution": SharedExecutionResponse,
}
