"""What the routes work with: the services, and who asks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request

from backend.api.auth import Authenticator
from backend.core.catalog import Catalog
from backend.core.json import Json
from backend.ports.clock import Clock
from backend.services.access import AccessService
from backend.services.accounts import AccountService
from backend.services.addresses import AddressService
from backend.services.alerts import AlertService
from backend.services.api_keys import ApiKeyService
from backend.services.audit import AuditService
from backend.services.blocks import BlockService
from backend.services.budgets import BudgetService
from backend.services.builder import BuilderService
from backend.services.chat import ChatService
from backend.services.credentials import CredentialsService
from backend.services.credits import CreditService
from backend.services.executions import ExecutionService
from backend.services.files import FileService
from backend.services.graphs import GraphService
from backend.services.imports import ImportService
from backend.services.inbox import InboxService
from backend.services.jobs import JobService
from backend.services.library import LibraryService
from backend.services.notice_channels import ChannelService
from backend.services.notices import NoticeService
from backend.services.oauth import OAuthService
from backend.services.oauth_apps import OAuthAppService
from backend.services.oidc import OidcService
from backend.services.preferences import PreferenceService
from backend.services.presets import PresetService
from backend.services.rates import RateLimit
from backend.services.resets import ResetService
from backend.services.reviews import ReviewService
from backend.services.schedules import ScheduleService
from backend.services.sessions import SessionService
from backend.services.sharing import SharingService
from backend.services.sign_ins import SignInService
from backend.services.usage import UsageService
from backend.services.users import Caller, UserService
from backend.services.webhooks import WebhookService


@dataclass(frozen=True, kw_only=True)
class Health:
    """Whether this service is ready, and what is known about its parts."""

    ready: bool
    details: dict[str, Json]


@dataclass(frozen=True, kw_only=True)
class Rates:
    """
    How often requests are answered.

    Attributes:
        users: Requests with a token, by whose it is.
        addresses: Requests without a token, or with one that is not good, by where they come from.
        keys: Requests to the external API, by the key or app.
    """

    users: RateLimit
    addresses: RateLimit
    keys: RateLimit


@dataclass(frozen=True, kw_only=True)
class Doors:
    """Who is let in beside users with a token, and how often anybody is answered."""

    api_keys: ApiKeyService
    oauth_apps: OAuthAppService
    oauth: OAuthService
    access: AccessService
    rates: Rates


@dataclass(frozen=True, kw_only=True)
class Watching:
    """What looks after agents and the server itself."""

    alerts: AlertService
    jobs: JobService


@dataclass(frozen=True, kw_only=True)
class Notices:
    """How people are told, and what became of it."""

    channels: ChannelService
    inbox: InboxService
    queue: NoticeService  #: for administrators


@dataclass(frozen=True, kw_only=True)
class Context:
    """
    Everything that routes reach.

    Attributes:
        health: Looks at what this service needs; never raises.
        metrics: Returns the metrics of this installation in Prometheus' text form.
        metrics_open: Whether metrics are given without a token: only on a loopback address.
    """

    audit: AuditService
    users: UserService
    accounts: AccountService
    sessions: SessionService
    oidc: OidcService
    resets: ResetService
    addresses: AddressService
    blocks: BlockService
    graphs: GraphService
    imports: ImportService
    executions: ExecutionService
    schedules: ScheduleService
    library: LibraryService
    builder: BuilderService
    credits: CreditService
    budgets: BudgetService
    watching: Watching
    usage: UsageService
    preferences: PreferenceService
    notices: Notices
    sharing: SharingService
    presets: PresetService
    webhooks: WebhookService
    reviews: ReviewService
    chats: ChatService
    credentials: CredentialsService
    sign_ins: SignInService
    files: FileService
    doors: Doors
    catalog: Catalog
    clock: Clock
    authenticator: Authenticator
    health: Callable[[], Awaitable[Health]]
    metrics: Callable[[], bytes]
    metrics_open: bool = False


def context_of(request: Request) -> Context:
    """Return what *request* is answered with."""
    context: Context = request.app.state.context
    return context


def caller_of(request: Request) -> Caller:
    """Return who sent *request*; only in routes that ask for a token."""
    caller: Caller = request.scope["caller"]
    return caller
