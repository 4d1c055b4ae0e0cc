"""Channels of notices: what their owners make, change and try out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from backend.core.errors import BadRequest, NotFound
from backend.core.ids import ChannelId, UserId
from backend.core.notice_answers import Outcome
from backend.core.notice_channels import (
    MOST_CHANNELS,
    NOTICE_KINDS,
    Channel,
    ChannelChanges,
    ChannelKind,
    RunsWanted,
)
from backend.core.notice_requests import read_target
from backend.core.notice_words import plain
from backend.core.records import NoticeRecord
from backend.ports.clock import Clock
from backend.ports.notice_channels import NoticeChannels
from backend.services.channel_calls import ChannelCalls
from backend.services.rates import RateLimit
from backend.services.sealed import Sealer

_NAME_CHARS: Final = 80


@dataclass(frozen=True, kw_only=True)
class Made:
    """A channel as it stands. *secret*: with what its deliveries are signed, if it was made now."""

    channel: Channel
    waiting: int = 0
    secret: str | None = None


class ChannelService:
    """Channels of all users; every method names the user whose they are."""

    def __init__(
        self,
        *,
        channels: NoticeChannels,
        sealer: Sealer,
        calls: ChannelCalls,
        clock: Clock,
        new_id: Callable[[], str],
        new_secret: Callable[[], bytes],
        tests: RateLimit | None = None,
    ) -> None:
        """
        Take what it works with.

        Args:
            new_secret: Returns 32 random bytes.
            tests: How often a user may have a channel tried out.
        """
        self._channels = channels
        self._sealer = sealer
        self._calls = calls
        self._clock = clock
        self._new_id = new_id
        self._new_secret = new_secret
        self._tests = tests

    async def listed(self, user_id: UserId) -> list[Made]:
        """Return all channels of a user, the oldest first."""
        mine = self._channels.of(user_id)
        return [
            Made(channel=one, waiting=await mine.waiting(one.id)) for one in await mine.listed()
        ]

    async def get(self, user_id: UserId, channel_id: ChannelId) -> Made:
        """Return one; raises NotFound."""
        mine = self._channels.of(user_id)
        found = await mine.get(channel_id)
        if found is None:
            raise _unknown(channel_id)
        return Made(channel=found, waiting=await mine.waiting(channel_id))

    async def add(
        self,
        user_id: UserId,
        kind: ChannelKind,
        config: Mapping[str, str],
        *,
        name: str = "",
        types: tuple[str, ...] | None = None,
        runs: RunsWanted = RunsWanted.PROBLEMS,
    ) -> Made:
        """
        Make a channel.

        Args:
            types: Kinds of notices; all when nothing is said.

        Raises:
            BadRequest: If *config* cannot be used.
            TooLarge: If there are too many.
        """
        target = read_target(kind, config, new_secret=self._new_secret())
        channel_id, now_us = ChannelId(self._new_id()), self._clock.now_us()
        channel = Channel(
            id=channel_id,
            user_id=user_id,
            kind=kind,
            name=plain(name, _NAME_CHARS) or kind.value,
            hint=target.hint,
            sealed=self._sealer.seal_channel(target.config, user_id=user_id, channel_id=channel_id),
            types=_types(types) or NOTICE_KINDS,
            runs=runs,
            created_us=now_us,
            updated_us=now_us,
        )
        await self._channels.of(user_id).add(channel, most=MOST_CHANNELS)
        return Made(channel=channel, secret=target.made_secret)

    async def change(
        self,
        user_id: UserId,
        channel_id: ChannelId,
        *,
        config: Mapping[str, str] | None = None,
        name: str | None = None,
        types: tuple[str, ...] | None = None,
        runs: RunsWanted | None = None,
        enabled: bool | None = None,
    ) -> Made:
        """
        Change what is not None; *config* takes the place of all that was there.

        Raises:
            NotFound: If the user has no such channel.
            BadRequest: If *config* cannot be used.
        """
        found = (await self.get(user_id, channel_id)).channel
        target = None
        if config is not None:
            target = read_target(found.kind, config, new_secret=self._new_secret())
        changes = ChannelChanges(
            name=None if name is None else plain(name, _NAME_CHARS) or found.kind.value,
            types=_types(types),
            runs=runs,
            enabled=enabled,
            hint=target.hint if target else None,
            sealed=self._sealer.seal_channel(target.config, user_id=user_id, channel_id=channel_id)
            if target
            else None,
        )
        mine = self._channels.of(user_id)
        changed = await mine.change(channel_id, changes, now_us=self._clock.now_us())
        if changed is None:
            raise _unknown(channel_id)
        return Made(
            channel=changed,
            waiting=await mine.waiting(channel_id),
            secret=target.made_secret if target else None,
        )

    async def remove(self, user_id: UserId, channel_id: ChannelId) -> None:
        """Take a channel away with all that waits for it; raises NotFound."""
        if not await self._channels.of(user_id).remove(channel_id):
            raise _unknown(channel_id)

    async def test(self, user_id: UserId, channel_id: ChannelId) -> Outcome:
        """
        Send a message at once, also through a channel that is turned off; return what became of it.

        Raises:
            NotFound: If the user has no such channel.
            TooManyRequests: If it is asked for too often.
        """
        channel = (await self.get(user_id, channel_id)).channel
        if self._tests is not None:
            self._tests.take(user_id)
        now_us = self._clock.now_us()
        notice = NoticeRecord(
            id=f"test:{self._new_id()}",
            user_id=user_id,
            type="TEST",
            data={"agent_name": channel.name},
            created_us=now_us,
        )
        return await self._calls.send(channel, notice)


def _types(types: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if types is None:
        return None
    unknown = sorted(set(types) - set(NOTICE_KINDS))
    if unknown:
        raise BadRequest(
            f"There are no notices {', '.join(unknown)}; take of {', '.join(NOTICE_KINDS)}."
        )
    if not types:
        raise BadRequest("A channel takes at least one kind of notices; turn it off instead.")
    return tuple(kind for kind in NOTICE_KINDS if kind in types)


def _unknown(channel_id: ChannelId) -> NotFound:
    return NotFound(f"Channel #{channel_id} not found.")
