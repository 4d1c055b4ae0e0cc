"""Libraries, and what is around them, behind their ports. Part of wiring.py, apart only for its size."""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.library import SqlLibraries
from backend.core.catalog import Catalog
from backend.core.ids import UserId
from backend.ports.clock import Clock
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.api.context import Watching
    from backend.ports.credits import Ledger
    from backend.services.budgets import BudgetService
    from backend.services.builder import BuilderService
    from backend.services.credits import CreditService
    from backend.services.graphs import GraphService
    from backend.services.imports import ImportService
    from backend.services.library import LibraryService
    from backend.services.preferences import PreferenceService
    from backend.services.sharing import SharingService
    from backend.services.usage import UsageService
    from backend.services.users import UserService

#: Where people's user interface is while nobody has said so (spec/contract.md 5).
_FRONTEND: Final = "http://localhost:3000"


def library_of(storage: SqlStorage, graphs: "GraphService", clock: Clock) -> "LibraryService":
    """Return the libraries of all users."""
    from backend.services.library import LibraryService

    return LibraryService(libraries=SqlLibraries(storage.database), graphs=graphs, clock=clock)


def imports_of(storage: SqlStorage, graphs: "GraphService", catalog: Catalog) -> "ImportService":
    """Return what saves new graphs."""
    from backend.adapters.storage.credentials import SqlCredentials
    from backend.services.imports import ImportService

    credentials = SqlCredentials(storage.database)
    return ImportService(graphs=graphs, storage=storage, credentials=credentials, catalog=catalog)


def sharing_of(storage: SqlStorage, frontend_url: str) -> "SharingService":
    """Return the shared runs of all users."""
    from backend.adapters.storage.sharing import SqlShares
    from backend.services.sharing import SharingService

    return SharingService(
        shares=SqlShares(storage.database, storage.values),
        # Of version 4: 122 bits from the system's source of secrets.
        new_token=lambda: str(uuid.uuid4()),
        base_url=frontend_url or _FRONTEND,
    )


def builder_of(
    storage: SqlStorage, library: "LibraryService", catalog: Catalog, clock: Clock
) -> "BuilderService":
    """Return the builder's menu."""
    from backend.adapters.storage.builder import SqlBuilders
    from backend.services.builder import BuilderService

    builders = SqlBuilders(storage.database)
    return BuilderService(catalog=catalog, builders=builders, library=library, clock=clock)


def preferences_of(storage: SqlStorage, clock: Clock, unsubscribe_key: str) -> "PreferenceService":
    """Return what all users want to be told."""
    from backend.adapters.storage.preferences import SqlPreferences
    from backend.services.preferences import PreferenceService

    return PreferenceService(
        preferences=SqlPreferences(storage.database),
        clock=clock,
        unsubscribe_key=unsubscribe_key,
    )


def users_of(storage: SqlStorage, clock: Clock) -> "UserService":
    """Return what is known of users."""
    from backend.services.users import UserService

    return UserService(storage=storage, clock=clock)


def watching_of(storage: SqlStorage, clock: Clock) -> "Watching":
    """Return what looks after agents and the server itself."""
    from backend.adapters.storage.alerts import SqlAlerts
    from backend.adapters.storage.jobs import SqlJobs
    from backend.api.context import Watching
    from backend.services.alerts import AlertService
    from backend.services.jobs import JobService

    return Watching(
        alerts=AlertService(alerts=SqlAlerts(storage.database), clock=clock),
        jobs=JobService(jobs=SqlJobs(storage.database), clock=clock),
    )


def budgets_of(storage: SqlStorage, clock: Clock) -> "BudgetService":
    """Return what models may cost all users."""
    from backend.adapters.storage.budgets import SqlBudgets
    from backend.services.budgets import BudgetService

    return BudgetService(budgets=SqlBudgets(storage.database), clock=clock)


def usage_of(storage: SqlStorage, clock: Clock) -> "UsageService":
    """Return what all users' agents asked of models."""
    from backend.adapters.storage.usage import SqlUsage
    from backend.services.usage import UsageService

    return UsageService(usage=SqlUsage(storage.database), clock=clock)


def unsubscribe_urls(settings: Settings) -> Callable[[UserId], str]:
    """Return what makes the link by which a user's letters are ended."""
    from backend.core.preferences import unsubscribe_token

    base_url = settings.platform_base_url or settings.rest_address()
    key = settings.unsubscribe_secret_key.get_secret_value()

    def url(user_id: UserId) -> str:
        return f"{base_url}/api/email/unsubscribe?token={unsubscribe_token(user_id, key)}"

    return url


def ledger_of(settings: Settings, storage: SqlStorage) -> "Ledger | None":
    """Return the ledger; None while credits are off."""
    from backend.adapters.storage.credits import SqlLedger

    if not settings.enable_credit:
        return None
    return SqlLedger(
        storage.database,
        refill=settings.num_user_credits_refill,
        low=settings.low_balance_threshold,
        billing_url=f"{settings.frontend_base_url or _FRONTEND}/profile/credits",
    )


def credits_of(settings: Settings, storage: SqlStorage, clock: Clock) -> "CreditService":
    """Return the credits of all users."""
    from backend.services.credits import CreditService

    return CreditService(
        ledger=ledger_of(settings, storage),
        storage=storage,
        clock=clock,
        prices=settings.block_prices,
    )
