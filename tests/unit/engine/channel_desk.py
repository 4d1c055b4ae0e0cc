"""Channels of notices over real storage and played services, by a clock that the test moves."""

import asyncio
import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from backend.adapters.storage import notices as notice_rows
from backend.adapters.storage.database import Database
from backend.adapters.storage.notice_channels import SqlNoticeChannels
from backend.adapters.storage.notice_sends import SqlSendQueue
from backend.adapters.vault import FernetVault
from backend.adapters.web import GuardedWebClient
from backend.core.ids import ChannelId, UserId
from backend.core.notice_channels import Channel, ChannelKind
from backend.core.records import NoticeRecord
from backend.engine.notice_router import NoticeRouter
from backend.engine.notice_sender import NoticeSender
from backend.ports.bus import Change, NoticeTold, user_topic
from backend.ports.web import WebLimits
from backend.services.channel_calls import ChannelCalls
from backend.services.notice_channels import ChannelService
from backend.services.sealed import Sealer
from backend.setting_keys import new_key
from backend.testing.clock import FakeClock
from backend.testing.standin.messages import KEY, Asked
from backend.testing.standin.server import StandIn
from tests.unit.engine.engine_house import ANN

BOB: Final = UserId("bob")
CONFIGS: Final = {
    ChannelKind.SLACK: {"url": f"https://hooks.slack.com/services/T0/B0/{KEY}"},
    ChannelKind.DISCORD: {"url": f"https://discord.com/api/webhooks/123/{KEY}"},
    ChannelKind.TELEGRAM: {"token": f"123:{KEY}", "chat_id": "-42"},
    ChannelKind.NTFY: {"topic": "mine", "token": KEY},
}


@dataclass
class Told:
    """Who publishes, and what it was given."""

    topics: set[str] = field(default_factory=lambda: {user_topic(ANN)})
    seen: list[Any] = field(default_factory=list)

    def wanted(self, topic: str) -> bool:
        return topic in self.topics

    def publish(self, topic: str, change: Change) -> None:
        assert isinstance(change, NoticeTold)
        assert topic == user_topic(change.user_id)
        self.seen.append(change.data)

    def tell_all(self) -> None:
        pass

    async def serve(self, ready: Any) -> None:
        ready()
        await asyncio.Event().wait()


class Desk:
    """Channels and all that is behind them."""

    def __init__(self, database: Database, services: StandIn, web: GuardedWebClient) -> None:
        self.clock, self.services, self.told = FakeClock(), services, Told()
        self.database = database
        self.queue = SqlSendQueue(self.database)
        sealer = Sealer(FernetVault([new_key()]))
        calls = ChannelCalls(
            web=web,
            sealer=sealer,
            clock=self.clock,
            base_urls=services.base_urls,
            limits=WebLimits(timeout_s=1.5, max_bytes=1_000_000, max_redirects=0),
        )
        self.channels = ChannelService(
            channels=SqlNoticeChannels(self.database),
            sealer=sealer,
            calls=calls,
            clock=self.clock,
            new_id=self.clock.new_id,
            new_secret=lambda: b"s" * 32,
        )
        self.router = NoticeRouter(self.queue, self.told, self.clock)
        self.sender = NoticeSender(self.queue, calls, self.clock, tell=self.router.tell)

    async def add(self, kind: ChannelKind, **more: Any) -> ChannelId:
        config = more.pop("config", None) or CONFIGS.get(kind)
        return (await self.channels.add(ANN, kind, config or self.hook, **more)).channel.id

    @property
    def hook(self) -> dict[str, str]:
        return {"url": f"{self.services.url}/webhook/x"}

    async def notice(
        self, *ids: str, user: UserId = ANN, kind: str = "AGENT_RUN", **data: Any
    ) -> None:
        said = {"agent_name": "Agent", "status": "FAILED", "graph_exec_id": "r", **data}
        for id_ in ids:
            self.clock.pass_time(us=1)
            new = NoticeRecord(
                id=id_, user_id=user, type=kind, data=said, created_us=self.clock.now_us()
            )
            await self.database.write(partial(notice_rows.add, new=[new]))

    async def send(self, *ids: str, **more: Any) -> None:
        """Queue notices, put them on their way, and send what is due until nothing is."""
        await self.notice(*ids, **more)
        await self.router.route_waiting()
        await self.router.release_due()
        while await self.sender.send_due():
            pass

    async def channel(self, channel_id: ChannelId) -> Channel:
        return (await self.channels.get(ANN, channel_id)).channel

    def asked(self) -> list[Asked]:
        return self.services.asked

    def bodies(self) -> list[Any]:
        return [json.loads(asked.body) for asked in self.services.asked]

    async def rows(self, query: str) -> list[Any]:
        return await self.database.read(lambda c: list(map(tuple, c.exec_driver_sql(query))))
