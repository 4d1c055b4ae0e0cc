"""Telling a provider to which address it sends what happens there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

from backend.core.credentials import Credentials
from backend.core.errors import BadRequest

#: A call must end long before somebody else looks after a webhook that nobody finished.
REGISTER_S: Final = 30.0


class RegistrationRefused(BadRequest):
    """The provider does not take this webhook."""


@dataclass(frozen=True, kw_only=True)
class Hook:
    """
    A webhook as its provider is told of it.

    Attributes:
        url: Where to send; no other webhook has the same.
        secret: With what to sign.
        events: As the deliveries name them.
        provider_id: By which the provider knows it; empty until it has said so.
    """

    url: str
    secret: str = field(repr=False)
    resource: str
    events: tuple[str, ...]
    provider_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """
    What a provider says of a webhook that it took.

    Attributes:
        provider_id: By which it knows the webhook.
        secret: With which it signs, where it chooses that itself; empty: with the one it was given.
    """

    provider_id: str
    secret: str = field(default="", repr=False)


class WebhookRegistrar(Protocol):
    """
    Registers webhooks at one provider; lends nothing of its own: each call brings credentials.

    All methods raise RegistrationRefused, with the provider's words, if it says no for good, and
    Unavailable if it cannot be said whether it did what was asked.
    """

    provider: str
    has_one: bool  #: an account has one webhook only, which takes all events
    can_ping: bool

    def resource_of(self, given: str) -> str:
        """Return *given* as it is kept: one thing has one name. Raises BadRequest if it is none."""

    async def register(self, hook: Hook, credentials: Credentials) -> Registered:
        """Register *hook*; twice is harmless."""

    async def remove(self, hook: Hook, credentials: Credentials) -> None:
        """Take *hook* back, found by its address where *provider_id* is empty; none is fine."""

    async def is_there(self, hook: Hook, credentials: Credentials) -> bool:
        """Say whether the provider has *hook*, and sends: somebody may have deleted it there."""

    async def ping(self, hook: Hook, credentials: Credentials) -> None:
        """Ask the provider to send a try."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """
    Something that a provider kept for a webhook.

    Attributes:
        number: Of its place in all that was kept for it, from 1.
        event: What happened; several at once have ``+`` between their names.
    """

    number: int
    event: str
    payload: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulled:
    """
    Some of what a provider kept for a webhook.

    Attributes:
        next: The number of the first that is not among them.
        has_more: There may be more, now.
    """

    changes: Sequence[Change]
    next: int
    has_more: bool


@runtime_checkable
class PullingRegistrar(WebhookRegistrar, Protocol):
    """One of a provider that tells only that there is something, and keeps it until it is asked for."""

    async def pull(self, hook: Hook, credentials: Credentials, first: int) -> Pulled:
        """
        Return what is kept for *hook* from the number *first* on; the oldest first.

        Raises as the others do; Unavailable if the provider has no such webhook, too: that is said
        by `is_there`.
        """
