"""Wires notices: what the end of a run tells, and the service that sends it. Part of wiring.py."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from backend.adapters.clock import SystemClock
from backend.settings import Settings
from backend.telemetry import Metrics
from backend.wiring import Started, open_database, serve_internal, work_beside
from backend.wiring_bus import NOTICES, one_of_all, open_ways

if TYPE_CHECKING:
    from backend.adapters.storage import SqlStorage
    from backend.core.execution import Execution
    from backend.core.notices import NoticeType
    from backend.core.records import NoticeRecord
    from backend.engine.engine import EndNotice
    from backend.engine.letters import LetterWriter
    from backend.ports.clock import Clock
    from backend.ports.mail import Letter, Mailer
    from backend.ports.storage import StoredRun
    from backend.services.notices import NoticeService

#: AGENT_RUN notices are gathered: for a day by mail (spec/contract.md 8.2); a folder disturbs
#: nobody, so there only so long that a busy minute does not make a thousand files.
MAIL_DELAY_US: Final = 24 * 3600 * 1_000_000
OUTBOX_DELAY_US: Final = 5 * 1_000_000


def end_notices(settings: Settings, clock: SystemClock) -> "EndNotice":
    """Return what makes the notice of a run's end."""
    from backend.core import alone, chat, notices

    delay_us = MAIL_DELAY_US if settings.smtp_host else OUTBOX_DELAY_US

    def end_notice(stored: "StoredRun", execution: "Execution") -> "NoticeRecord | None":
        if stored.depth or stored.trigger in (chat.TRIGGER, alone.TRIGGER):
            return None  # its root tells, or its session, or somebody waits for it
        return notices.agent_run(
            execution,
            user_id=stored.record.user_id,
            graph_id=stored.record.graph_id,
            now_us=clock.now_us(),
            delay_us=delay_us,
        )

    return end_notice


async def serve_notifications(
    settings: Settings, started: Started, stopping: asyncio.Event
) -> None:
    """Tell owners what happened."""
    from backend.adapters.storage.notice_queue import SqlNoticeQueue
    from backend.adapters.storage.preferences import SqlPreferences
    from backend.engine.postman import Postman
    from backend.wiring_channels import channel_works
    from backend.wiring_library import unsubscribe_urls

    metrics, clock = Metrics("NotificationManager"), SystemClock()
    storage = open_database(settings)
    mailer = mailer_of(settings)
    postman = Postman(
        SqlNoticeQueue(storage.database),
        mailer,
        clock,
        SqlPreferences(storage.database),
        letter_writer(settings),
        operator=settings.refund_notification_email,
        limited=bool(settings.smtp_host),
        unsubscribe_url=unsubscribe_urls(settings),
    )
    metrics.gauge("notices_sent", "Notices that left").set_function(lambda: postman.sent)
    metrics.gauge("notices_failed", "Notices given up").set_function(lambda: postman.failed)
    metrics.gauge("notices_undelivered", "Notices given up that nobody has looked at").set_function(
        lambda: postman.undelivered
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close)
        stack.push_async_callback(mailer.close)
        ways = await open_ways(settings, metrics, stack)
        publisher = ways.publisher(NOTICES)
        channels = channel_works(settings, storage, metrics, publisher, stack)
        work_beside(stack, stopping, *one_of_all(settings, [postman.serve(), *channels]))

        async def health() -> Mapping[str, object]:
            await storage.ping()
            return ways.facts()

        await serve_internal(settings, started, stopping, health=health, metrics=metrics)


def letter_writer(settings: Settings) -> "LetterWriter":
    """
    Return what writes letters, with the operator's templates if there are any.

    Raises:
        CannotStart: If one of those is unfit; a letter with each is written to know it.
    """
    from backend.adapters.mail.letter_templates import load_templates
    from backend.core.errors import BadRequest, CannotStart
    from backend.core.notices import NoticeType
    from backend.engine.letter_samples import samples
    from backend.engine.letters import LetterWriter

    folder = settings.notice_templates_dir
    writer = LetterWriter(load_templates(Path(folder) if folder else None))
    if folder:
        for kind in NoticeType:
            try:
                shown = samples(kind, now_us=0)
                writer.write(shown, len(shown))
            except BadRequest as exc:
                raise CannotStart(
                    f"the templates in NOTICE_TEMPLATES_DIR make no letter of {kind}: {exc}"
                ) from exc
    return writer


def mailer_of(settings: Settings) -> "Mailer":
    """Return the way for letters: the mail server if one is set, else the outbox folder."""
    from backend.adapters.mail import OutboxMailer, SmtpMailer, SmtpServer

    if not settings.smtp_host:
        return OutboxMailer(settings.agpt_data_dir / "outbox", sender=settings.smtp_sender)
    server = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value(),
        security=settings.smtp_security,
    )
    return SmtpMailer(server, sender=settings.smtp_sender)


def notices_of(settings: Settings, storage: "SqlStorage", clock: "Clock") -> "NoticeService":
    """Return what shows administrators the queue, and letters with the operator's templates."""
    from backend.adapters.storage.notice_queue import SqlNoticeQueue
    from backend.adapters.storage.preferences import SqlPreferences
    from backend.services.notices import NoticeService

    def as_bytes(letter: "Letter") -> bytes:
        from backend.adapters.mail import as_message

        return as_message(letter, sender=settings.smtp_sender).as_bytes()

    return NoticeService(
        queue=SqlNoticeQueue(storage.database),
        people=SqlPreferences(storage.database),
        clock=clock,
        sample=lambda kind: sample_letter(settings, kind, clock.now_us()),
        as_bytes=as_bytes,
    )


def sample_letter(settings: Settings, kind: "NoticeType", now_us: int) -> "Letter":
    """
    Return a letter of *kind* about made-up things.

    Raises:
        CannotStart: If an operator's template is unfit.
    """
    # Here, not where the REST service starts: the engine of templates is large.
    from backend.engine.letter_samples import samples
    from backend.ports.mail import Letter

    shown = samples(kind, now_us=now_us)
    words = letter_writer(settings).write(
        shown, len(shown), unsubscribe_url="https://agents.example/unsubscribe"
    )
    return Letter(
        key=f"sample:{kind}",
        to="ann@agents.example",
        subject=words.subject,
        text=words.text,
        html=words.html,
        sent_us=now_us,
        unsubscribe_url="https://agents.example/unsubscribe",
    )
