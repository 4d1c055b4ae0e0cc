"""What a watch's look is given and gives: between the loop and those who know what they look at."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from backend.core.ids import UserId, WebhookId
from backend.core.watch_settings import WatchSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """Something new. The same *key* at the same watch is the same thing."""

    event: str
    payload: Mapping[str, Any] = field(repr=False)
    key: str


@dataclass(kw_only=True, slots=True)
class Glance:
    """
    One look of one watch.

    Attributes:
        state: What is remembered; changed in place, and saved when the look has ended.
        save: Save it now: for what must be on disk before an item is handed over, or after it.
        again_s: Look again after so many seconds, if that is sooner than usual.
    """

    webhook_id: WebhookId
    user_id: UserId
    settings: WatchSettings
    credentials_id: str
    state: dict[str, Any]
    now_us: int
    save: Callable[[], Awaitable[None]]
    again_s: float | None = None

    def begin_anew_at(self, source: str) -> None:
        """Forget what was remembered of another source."""
        if self.state.get("source") != source:
            self.state.clear()
            self.state["source"] = source


class Looker(Protocol):
    """
    Knows one kind of watch.

    Items are handed over one by one, each on disk before the next is asked for: only then may the
    state say that it was seen. What was handed over and not noted is handed over again, with the
    same key.
    """

    def look(self, glance: Glance) -> AsyncIterator[Item]:
        """
        Yield what is new.

        Raises:
            Unavailable: If there is no look now; ServiceLimited, if it says until when.
            BadRequest, NotFound, NotConfigured: If there is none until somebody changes something.
        """
