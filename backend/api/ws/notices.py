"""Brings notices to all open sockets of their owners. Nobody asks for them; the list has them all."""

import asyncio
from contextlib import suppress

from backend.api.ws.hub import Hub
from backend.api.ws.messages import WSMethod, event_frame
from backend.core.ids import UserId
from backend.ports.bus import Attached, EventSubscriber, NoticeTold, user_topic


class NoticeBoard:
    """
    The notices of this process's users. Use it from one loop.

    A socket that is behind is told none: they wait in the list.
    """

    def __init__(self, subscriber: EventSubscriber, hub: Hub) -> None:
        self._subscriber = subscriber
        self._hub = hub
        self._live: dict[UserId, asyncio.Event] = {}
        # Once it did not answer in time, nobody waits for it until it is heard again.
        self._publisher_answers = True

    async def begin(self, user_id: UserId) -> None:
        """Bring what happens from now on to a user who has a socket; waits until that is so, or not for long."""
        live = self._live.get(user_id)
        if live is None:
            live = self._live[user_id] = asyncio.Event()
            self._subscriber.subscribe(user_topic(user_id))
        if not live.is_set() and self._publisher_answers:
            try:
                async with asyncio.timeout(self._hub.limits.attach_s):
                    await live.wait()
            except TimeoutError:
                self._publisher_answers = False

    def end(self, user_id: UserId) -> None:
        """Bring no more to a user who has no socket any more."""
        if user_id in self._live and not self._hub.clients_of(user_id):
            del self._live[user_id]
            self._subscriber.unsubscribe(user_topic(user_id))

    async def run(self) -> None:
        """Bring notices until the bus is closed."""
        async for topic, change in self._subscriber.changes():
            if isinstance(change, Attached):
                self._publisher_answers = True
                with suppress(KeyError):
                    self._live[UserId(topic.partition(":")[2])].set()
            elif isinstance(change, NoticeTold):
                frame = event_frame(WSMethod.NOTIFICATION, dict(change.data), None).decode()
                for client in self._hub.clients_of(change.user_id):
                    client.offer_text(frame)
