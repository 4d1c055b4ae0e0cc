"""Sends one message through one channel, once, and says what became of it."""

from collections.abc import Mapping
from typing import Final

from backend.core.credentials import Secret
from backend.core.errors import SecretUnreadable, WebFailed, WebRefused
from backend.core.notice_answers import Later, Outcome, Refused, outcome_of
from backend.core.notice_channels import Channel
from backend.core.notice_requests import request_of, secrets_in
from backend.core.records import NoticeRecord
from backend.core.redaction import Redactor
from backend.ports.clock import Clock
from backend.ports.web import RawBody, WebClient, WebLimits
from backend.services.sealed import Sealer

#: No service needs longer for a message; of its answer only the beginning is looked at.
LIMITS: Final = WebLimits(timeout_s=15.0, max_bytes=256 * 1024, max_redirects=0)


class ChannelCalls:
    """Calls services. Repeats nothing by itself."""

    def __init__(
        self,
        *,
        web: WebClient,
        sealer: Sealer,
        clock: Clock,
        base_urls: Mapping[str, str],
        limits: WebLimits = LIMITS,
    ) -> None:
        """
        Take the way out.

        Args:
            base_urls: The operator's addresses of providers, by name.
        """
        self._web = web
        self._sealer = sealer
        self._clock = clock
        self._base_urls = base_urls
        self._limits = limits

    async def send(self, channel: Channel, notice: NoticeRecord, *, told: int = 1) -> Outcome:
        """
        Send *notice*; the same one has the same keys each time. Raises nothing of the service's.

        Args:
            told: For how many of its cause it stands.
        """
        now_s = self._clock.now_us() / 1e6
        try:
            config = self._sealer.open_channel(channel)
        except SecretUnreadable:
            # The operator may bring the key back: nothing is lost meanwhile.
            return Later(said="its secret cannot be opened with the keys of this installation")
        request = request_of(
            channel.kind,
            config,
            notice,
            channel.id,
            told=told,
            now_s=int(now_s),
            base_urls=self._base_urls,
        )
        redactor = Redactor(Secret(text) for text in secrets_in(config))
        try:
            answer = await self._web.send(
                "POST",
                request.url,
                headers=request.headers,
                body=RawBody(content=request.body),
                limits=self._limits,
                trusted_origins=request.trusted,
            )
        except WebRefused as exc:
            return Refused(said=redactor.text(str(exc)))
        except WebFailed as exc:
            return Later(said=redactor.text(str(exc)))
        return outcome_of(
            answer.status, answer.header, answer.content, now_s=now_s, clean=redactor.text
        )
