"""How an installation leaves its broker; `agpt db drop --broker`."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.adapters.broker.address import shown
from backend.adapters.broker.names import Names
from backend.adapters.broker.tidy import drop, listeners
from backend.adapters.storage.cluster import forget, installation_at
from backend.core.errors import Conflict, NotConfigured, NotFound
from backend.settings import load_settings


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """An installation and its broker; the addresses have passwords, the other fields have none."""

    broker: str
    database: str
    names: Names

    @property
    def shown(self) -> str:
        """Where the broker is."""
        return shown(self.broker)

    @property
    def prefix(self) -> str:
        """What everything there begins with."""
        return self.names.prefix


def whereabouts(overrides: Mapping[str, Any]) -> Whereabouts:
    """
    Return which installation the settings name, and where it is.

    Raises:
        NotConfigured: If they name no broker.
        NotFound: If no cluster was ever in that database.
        CannotStart: If the database does not answer.
    """
    settings, _ = load_settings(overrides)
    if not settings.rabbitmq_url:
        raise NotConfigured("No broker is set (RABBITMQ_URL): there is nothing to remove.")
    installation = installation_at(settings.database_url)
    if installation is None:
        raise NotFound("No cluster was ever in this database: it has nothing at the broker.")
    return Whereabouts(settings.rabbitmq_url, settings.database_url, Names(installation))


def leave_broker(place: Whereabouts) -> None:
    """
    Remove what the installation has at the broker, then its name in the database.

    Raises:
        Conflict: If an executor of it still works.
        CannotStart: If the broker or the database does not answer.
        Unavailable: If the broker fails half-way.
    """
    if count := asyncio.run(listeners(place.broker, place.names)):
        raise Conflict(f"Executors of this installation still listen ({count}); stop them first.")
    asyncio.run(drop(place.broker, place.names))
    # The name last: without it nobody would know any more what to remove.
    forget(place.database)
