"""Channels of notices in the tests: real ones, whose way out opens loopback to whom a test names."""

import secrets
import uuid
from pathlib import Path

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.notice_channels import SqlNoticeChannels
from backend.adapters.vault import FernetVault
from backend.adapters.web import GuardedWebClient
from backend.api.context import Notices
from backend.ports.clock import Clock
from backend.services.channel_calls import ChannelCalls
from backend.services.notice_channels import ChannelService
from backend.services.rates import RateLimit
from backend.services.sealed import Sealer
from backend.setting_keys import new_key
from backend.settings import Settings
from backend.wiring_channels import inbox_of
from backend.wiring_notices import notices_of as queue_of

#: Tests of channels in a minute.
TESTS = 5


def notices_of(storage: SqlStorage, clock: Clock) -> Notices:
    """Return how people are told beside mail."""
    sealer = Sealer(FernetVault([new_key()]))
    channels = ChannelService(
        channels=SqlNoticeChannels(storage.database),
        sealer=sealer,
        calls=ChannelCalls(web=GuardedWebClient(), sealer=sealer, clock=clock, base_urls={}),
        clock=clock,
        new_id=lambda: str(uuid.uuid4()),
        new_secret=lambda: secrets.token_bytes(32),
        tests=RateLimit(
            "tests of channels", tokens=TESTS, refill_s=60.0, monotonic_s=clock.monotonic_s
        ),
    )
    queue = queue_of(Settings(agpt_data_dir=Path()), storage, clock)
    return Notices(channels=channels, inbox=inbox_of(storage, clock), queue=queue)
