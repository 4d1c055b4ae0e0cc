"""Looks into mailboxes, and lets servers tell when there is something to look at (IMAP IDLE)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from backend.core.credentials import Credentials, UserPasswordCredentials
from backend.core.errors import AgentServerError, BadRequest, TooLarge
from backend.core.ids import UserId, WebhookId
from backend.core.watch_settings import MailWatch
from backend.core.watches import WatchKind, key_of
from backend.engine.glances import Glance, Item
from backend.engine.mails import Attached, read_header, read_mail
from backend.engine.watch_folder import FOUND_DAYS
from backend.ports.mail import MailServer
from backend.ports.mailbox import Mailbox, Mailboxes, MailHead
from backend.services.files import FileService, Upload

log = structlog.get_logger()

_AT_ONCE: Final = 50
_IDLE_S: Final = 25 * 60.0  #: a server may end what says nothing for half an hour


class Lending(Protocol):
    """Lends users' credentials; see backend.services.credentials."""

    async def lend(self, user_id: UserId, reference: dict[str, Any]) -> Credentials:
        """Return what *reference* names."""


class MailLooker:
    """
    Mails that come after the watch was set up.

    State: *validity* of the uids, and *next*, the first that was not looked at.
    """

    def __init__(
        self,
        mailboxes: Mailboxes,
        files: FileService,
        lender: Lending,
        bells: "MailBells",
        *,
        max_bytes: int,
    ) -> None:
        """Take at most *max_bytes* of one mail; of a larger one only its header is told."""
        self._mailboxes = mailboxes
        self._files = files
        self._lender = lender
        self._bells = bells
        self._max_bytes = max_bytes

    async def look(self, glance: Glance) -> AsyncIterator[Item]:
        """See Looker."""
        settings, state = glance.settings, glance.state
        assert isinstance(settings, MailWatch)
        server = await self._server(glance.user_id, settings, glance.credentials_id)
        glance.begin_anew_at(settings.source(glance.credentials_id))
        async with self._mailboxes.open(server, settings.mailbox) as box:
            if state.get("validity") != box.validity or "next" not in state:
                # Other uids than before: which of these mails were seen nobody can say.
                state.update(validity=box.validity, next=box.next_uid)
                await glance.save()
            heads = await box.heads(state["next"], most=_AT_ONCE)
            for head in heads:
                item = await self._item(box, head, glance)
                if item is not None:
                    yield item
                state["next"] = head.uid + 1
                await glance.save()
            if len(heads) == _AT_ONCE:
                glance.again_s = 0.0
                return
            # The last ones may have been deleted: nobody has to look for them again.
            state["next"] = max(state["next"], box.next_uid)
            can_wait = box.can_wait
        if settings.idle and can_wait:
            bell = Bell(
                server=server,
                mailbox=settings.mailbox,
                next_uid=int(state["next"]),
                limit_s=min(_IDLE_S, 2 * settings.every_s),
            )
            self._bells.hang(glance.webhook_id, bell)

    async def _server(
        self, user_id: UserId, settings: MailWatch, credentials_id: str
    ) -> MailServer:
        reference = {"id": credentials_id, "provider": WatchKind.MAIL, "type": "user_password"}
        lent = await self._lender.lend(user_id, reference)
        if not isinstance(lent, UserPasswordCredentials):
            raise BadRequest("these credentials are no user name with a password")
        return MailServer(
            host=settings.host, port=settings.port, username=lent.username, password=lent.password
        )

    async def _item(self, box: Mailbox, head: MailHead, glance: Glance) -> Item | None:
        settings = glance.settings
        assert isinstance(settings, MailWatch)
        header = await asyncio.to_thread(read_header, head.header)
        if not _has(header.sender, settings.sender) or not _has(header.subject, settings.subject):
            return None
        key = key_of(WatchKind.MAIL, glance.state["source"], box.validity, head.uid)
        content = None
        if head.size_bytes <= self._max_bytes:
            content = await box.fetch(head.uid, max_bytes=self._max_bytes + 64 * 1024)
            if content is None:
                return None  # somebody has deleted it
        mail = await asyncio.to_thread(read_mail, head.header if content is None else content)
        files, left_out = [], list[str]()
        for number, one in enumerate(mail.attached):
            reference = await self._kept(glance.user_id, one, f"{key} {number}")
            if reference is None:
                left_out.append(one.name)
            else:
                files.append({"file": reference, "name": one.name, "media_type": one.media_type})
        payload = {
            **mail.facts,
            "attachments": files,
            "left_out": left_out,
            "is_whole": content is not None,
            "size": head.size_bytes,
        }
        return Item(event="mail", payload=payload, key=key)

    async def _kept(self, user_id: UserId, one: Attached, key: str) -> str | None:
        async def pieces() -> AsyncIterator[bytes]:
            yield one.content

        upload = Upload(name=one.name, media_type=one.media_type, content=pieces())
        try:
            stored = await self._files.keep_found(user_id, upload, key=key, days=FOUND_DAYS)
        except TooLarge:
            if len(one.content) <= self._files.limit_bytes:
                raise  # its owner keeps too much already: it is another day's
            return None
        except BadRequest as exc:
            log.warning("attachment_refused", error=str(exc))
            return None
        return stored.reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Bell:
    """
    Where to wait for new mail.

    Attributes:
        next_uid: What comes is this one or a later one.
        limit_s: Wait no longer. Whoever still wants to know looks before that, and hangs another.
    """

    server: MailServer
    mailbox: str
    next_uid: int
    limit_s: float

    @property
    def place(self) -> tuple[MailServer, str]:
        """Where it hangs."""
        return self.server, self.mailbox


class MailBells:
    """
    Waits at mailboxes until their servers say that mail has come, and wakes their watches.

    Only a bell: the look that follows finds out what is new. `serve` must run.
    """

    def __init__(
        self,
        mailboxes: Mailboxes,
        wake: Callable[[WebhookId], Awaitable[None]],
        *,
        most: int,
        gather_s: float = 1.0,
    ) -> None:
        """
        Wait at *most* mailboxes at once; the others are looked at as often as they say.

        Args:
            gather_s: Between the news and the look, so that a heap of mail is one look.
        """
        self._mailboxes = mailboxes
        self._wake = wake
        self._most = most
        self._gather_s = gather_s
        self._group: asyncio.TaskGroup | None = None
        self._hung: dict[WebhookId, tuple[Bell, asyncio.Task[None]]] = {}

    @property
    def count(self) -> int:
        """At how many mailboxes it waits."""
        return len(self._hung)

    async def serve(self) -> None:
        """Wait, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    def hang(self, webhook_id: WebhookId, bell: Bell) -> None:
        """Wait for a watch, once; one that waits there already goes on."""
        before = self._hung.get(webhook_id)
        if before is not None:
            if before[0].place == bell.place:
                return
            self._hung.pop(webhook_id)[1].cancel()
        if self._group is None or len(self._hung) >= self._most:
            return
        task = self._group.create_task(self._listen(webhook_id, bell))
        self._hung[webhook_id] = (bell, task)
        task.add_done_callback(lambda _: self._forget(webhook_id, bell))

    def _forget(self, webhook_id: WebhookId, bell: Bell) -> None:
        hung = self._hung.get(webhook_id)
        if hung is not None and hung[0] is bell:
            del self._hung[webhook_id]

    async def _listen(self, webhook_id: WebhookId, bell: Bell) -> None:
        try:
            async with self._mailboxes.open(bell.server, bell.mailbox) as box:
                # Mail may have come between the look and now; of that nobody would tell.
                if box.next_uid <= bell.next_uid:
                    await box.wait(limit_s=bell.limit_s)
            await asyncio.sleep(self._gather_s)
            self._forget(webhook_id, bell)  # the look that it causes hangs the next one
            await self._wake(webhook_id)
        except AgentServerError as exc:
            # The next look comes all the same, and tells its owner what is wrong.
            log.info("mail_bell_fell", webhook_id=webhook_id, error=str(exc))


def _has(text: str, part: str) -> bool:
    return part.casefold() in text.casefold()
